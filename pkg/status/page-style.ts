/** The style of the status page. Colours follow the browser's light or dark scheme; none of them says something that a word does not. */
export const pageStyle = `
:root { color-scheme: light dark; --ink: #1a1c1f; --paper: #fcfcfb; --line: #c9ccd1; --dim: #5b616b;
  --good: #1b6e3c; --warn: #8a5200; --bad: #b3261e; --bar: #3366aa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #15171a; --line: #3c4149; --dim: #a2a9b4;
    --good: #6fcf8f; --warn: #f0b45a; --bad: #ff8f86; --bar: #7fb0ff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; font: 0.95rem/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.2rem 0 0.4rem; }
p { margin: 0.3rem 0; }
.dim { color: var(--dim); } .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; } figcaption { color: var(--dim); font-size: 0.85rem; }
svg { width: 30rem; max-width: 100%; height: 4rem; border-bottom: 1px solid var(--line); display: block; }
svg rect { fill: var(--bar); } svg rect.bad { fill: var(--bad); }
form { display: flex; flex-wrap: wrap; gap: 0.8rem; align-items: end; margin: 0.6rem 0; }
label { display: flex; flex-direction: column; font-size: 0.85rem; color: var(--dim); }
label.check { flex-direction: row; gap: 0.4rem; align-items: center; }
input, button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 0.25rem; padding: 0.25rem 0.5rem; }
button { cursor: pointer; } button:disabled { opacity: 0.5; cursor: default; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
details { border-top: 1px solid var(--line); padding: 0.3rem 0; }
summary { cursor: pointer; } summary .health { display: inline-block; min-width: 9rem; font-weight: 600; } summary .name { font-weight: 600; margin-right: 0.8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.3rem 0 0.6rem 1.2rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.2rem 0; } th { text-align: left; font-weight: 400; color: var(--dim); font-size: 0.85rem; }
td, th { padding: 0.1rem 1rem 0.1rem 0; white-space: nowrap; } td.number { text-align: right; }
ul { margin: 0.2rem 0; padding-left: 1.2rem; }
`;
