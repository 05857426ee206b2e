"""T2-ATTENTION: what does each head attend to, and which heads do nothing?"""
