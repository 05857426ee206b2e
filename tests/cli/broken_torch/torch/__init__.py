raise ImportError("libtorch_cpu.so: cannot open shared object file")
