"""The style of a box, scoped to it; it follows the notebook's theme where that says which it is."""

from __future__ import annotations

_LIGHT = (
    "--n-bg:#fff;--n-ink:#1a222e;--n-soft:#566172;--n-line:#dfe3e9;--n-sunken:#f4f6f8;--n-link:#2f66c9;"
    "--n-good:#17774a;--n-warn:#935600;--n-bad:#c02823;color-scheme:light;"
)
_DARK = (
    "--n-bg:#1a1f27;--n-ink:#e7ebf1;--n-soft:#a6b0be;--n-line:#323b48;--n-sunken:#222934;--n-link:#84abf7;"
    "--n-good:#5cc98f;--n-warn:#e5aa4e;--n-bad:#f67f77;color-scheme:dark;"
)
# `.tpn.tpn` outweighs the rules by which notebooks style whatever an output holds.
_RULES = f"""
.tpn {{ {_LIGHT} --n-state:var(--n-soft); }}
@media screen and (prefers-color-scheme: dark) {{ .tpn {{ {_DARK} }} }}
@media screen {{
[data-jp-theme-light="true"] .tpn, .vscode-light .tpn, html[theme="light"] .tpn {{ {_LIGHT} }}
[data-jp-theme-light="false"] .tpn, .vscode-dark .tpn, html[theme="dark"] .tpn {{ {_DARK} }}
}}
.tpn.tpn {{ box-sizing:border-box; max-width:980px; margin:2px 0; padding:12px 16px; color:var(--n-ink);
  background:var(--n-bg); border:1px solid var(--n-line); border-left:5px solid var(--n-state); border-radius:8px;
  font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
  text-align:left; overflow-wrap:anywhere; }}
.tpn.tpn-good {{ --n-state:var(--n-good); }} .tpn.tpn-warn {{ --n-state:var(--n-warn); }}
.tpn.tpn-bad {{ --n-state:var(--n-bad); }}
.tpn.tpn p {{ margin:0; padding:0; }}
.tpn.tpn p + p, .tpn.tpn table + p {{ margin-top:8px; }}
.tpn .tpn-title {{ font-size:15px; font-weight:650; }}
.tpn .tpn-title span {{ color:var(--n-state); }}
.tpn .tpn-lines {{ white-space:pre-line; }}
.tpn.tpn .tpn-advice {{ padding:8px 12px; background:var(--n-sunken); border-radius:6px; white-space:pre-line; }}
.tpn a {{ color:var(--n-link); }}
.tpn.tpn .tpn-table {{ width:100%; margin:10px 0 0; border:0; border-collapse:collapse; font-size:13.5px;
  table-layout:auto; background:none; color:inherit; }}
.tpn.tpn .tpn-table tr {{ background:none; }}
.tpn.tpn .tpn-table th, .tpn.tpn .tpn-table td {{ padding:5px 14px 5px 0; text-align:left; vertical-align:top;
  border:0; border-bottom:1px solid var(--n-line); background:none; color:inherit; max-width:none;
  white-space:normal; overflow-wrap:anywhere; min-width:4em; }}
.tpn.tpn .tpn-table th {{ font-weight:600; color:var(--n-soft); white-space:nowrap; }}
@media (max-width:640px) {{
.tpn.tpn .tpn-table thead {{ display:none; }}
.tpn.tpn .tpn-table tr, .tpn.tpn .tpn-table td {{ display:block; }}
.tpn.tpn .tpn-table tr {{ padding:6px 0; border-bottom:1px solid var(--n-line); }}
.tpn.tpn .tpn-table td {{ border:0; padding:1px 0; }}
.tpn.tpn .tpn-table td:not(:first-child)::before {{ content:attr(data-title) ": "; color:var(--n-soft); }}
.tpn.tpn .tpn-table td:first-child {{ font-weight:600; }}
.tpn.tpn .tpn-table td:empty {{ display:none; }}
}}
"""
BOX_STYLE = "<style>" + " ".join(_RULES.split()) + "</style>"
