/** The report's style sheet: light and dark, from 360 px to a desk's width, and on paper. */
export const STYLE = `
:root{color-scheme:light dark;--ground:#fbfaf7;--card:#fff;--ink:#1d2320;--quiet:#5d6862;--line:#dfe2dc;--accent:#1f7a4d;--accent-ink:#fff;--wrong:#b3412e;--first:#1f7a4d;--second:#b86a11;--third:#3b6ea8;--fourth:#8a4f9e;--held:#e9ebe6}
@media (prefers-color-scheme:dark){:root{--ground:#131714;--card:#1b201d;--ink:#e7ebe6;--quiet:#9aa69f;--line:#313934;--accent:#4cc489;--accent-ink:#0b1a12;--wrong:#f08a72;--first:#4cc489;--second:#e6a550;--third:#7fb2ec;--fourth:#c79ad8;--held:#262d29}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:1040px;margin:0 auto;padding:28px 20px 56px}
h1{font-size:clamp(1.6rem,5vw,2.3rem);line-height:1.15;margin:.1em 0 .3em;letter-spacing:-.015em}
h2{font-size:1.2rem;margin:0 0 .6em;letter-spacing:-.005em}
h3{font-size:.95rem;margin:1.4em 0 .4em}
p{margin:.4em 0;max-width:70ch}
.eyebrow{color:var(--accent);font-weight:650;font-size:.85rem;letter-spacing:.04em;margin:0}
.quiet{color:var(--quiet);font-weight:400}
section,.head{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:22px;margin:0 0 16px}
.head{display:grid;grid-template-columns:1fr auto;gap:12px 32px;align-items:end}
.headline{text-align:right}
.headline b{display:block;font-size:clamp(2.6rem,9vw,4rem);line-height:1;letter-spacing:-.03em;font-weight:700;color:var(--accent);font-variant-numeric:tabular-nums;white-space:nowrap}
.headline span{font-size:.9rem}
.facts{display:flex;flex-wrap:wrap;gap:1px;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden;margin:0 0 16px;padding:0}
.facts div{flex:1 1 150px;background:var(--card);padding:13px 16px}
.facts dt{color:var(--quiet);font-size:.8rem}
.facts dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.facts small{display:block;font-weight:400;color:var(--quiet);font-size:.8rem}
.banner{border:1px solid var(--wrong);border-left-width:6px;border-radius:8px;padding:10px 16px;margin:0 0 16px;background:var(--card)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:20px}
.chart{margin:0;min-width:0;max-width:560px}
figcaption{font-weight:600;font-size:.9rem;display:flex;flex-wrap:wrap;gap:2px 14px;justify-content:space-between;margin-bottom:6px}
.legend{font-weight:400}
.key{margin-left:12px;white-space:nowrap}
.key::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;vertical-align:middle;margin-right:6px;background:currentColor}
.first{color:var(--first)}.second{color:var(--second)}.third{color:var(--third)}.fourth{color:var(--fourth)}
svg{display:block;max-width:100%}
.chart svg{width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--quiet);font-variant-numeric:tabular-nums}
svg .grid{stroke:var(--line);stroke-width:1}
svg .marked{stroke:var(--accent);stroke-width:1;stroke-dasharray:3 3}
svg g path{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg g circle{fill:currentColor}
.third path,.fourth path{stroke-dasharray:5 4}
.network{display:flex;gap:0;align-items:stretch;list-style:none;margin:14px 0 10px;padding:0}
.network li{flex:1 1 0;min-width:0;border:1.5px solid var(--line);border-radius:10px;padding:10px 8px;text-align:center;background:var(--held);position:relative;margin-right:20px}
.network li:last-child{margin-right:0}
.network li:not(:last-child)::after{content:"\\2192";position:absolute;right:-18px;top:50%;transform:translateY(-50%);color:var(--quiet);width:16px}
.network b{display:block}
.network small{display:block;font-size:.75rem;font-variant-numeric:tabular-nums}
.network .state{font-size:.75rem;font-weight:650;display:block;margin-bottom:4px;color:var(--quiet)}
.network .trained{background:var(--accent);border-color:var(--accent);color:var(--accent-ink)}
.network .trained .state{color:inherit}
.network .partly{border-color:var(--accent);background:linear-gradient(90deg,var(--held) 50%,color-mix(in srgb,var(--accent) 35%,var(--held)) 50%)}
.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px 4px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{overflow-wrap:break-word;text-align:left;padding:5px 14px 5px 0;vertical-align:top}
thead th{color:var(--quiet);font-weight:500;border-bottom:1px solid var(--line)}
tbody th{font-weight:500}
.pairs{columns:2;column-gap:32px;padding-left:1.1em;margin:.2em 0 0}
.pairs li{break-inside:avoid}
.matrix{border-spacing:2px;border-collapse:separate;font-size:.85rem}
.matrix tbody th{vertical-align:middle}
.matrix th{border:0;padding:2px 6px 2px 0;max-width:150px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--ink);font-weight:500}
.matrix thead th{vertical-align:bottom;padding:0;height:auto;max-width:none}
.matrix thead th:not(.corner) span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:130px;overflow:hidden;text-overflow:ellipsis;display:inline-block;padding:2px 0;line-height:36px}
.corner{font-size:.75rem}
.corner span{display:block;color:var(--quiet);font-weight:400}
.matrix td{width:36px;min-width:36px;height:32px;text-align:center;vertical-align:middle;padding:0;border-radius:4px;background:var(--held)}
.matrix td.none{color:var(--quiet);opacity:.55}
.matrix td.right{background:color-mix(in srgb,var(--accent) calc(15% + var(--share)*.85),var(--held))}
.matrix td.wrong{background:color-mix(in srgb,var(--wrong) calc(22% + var(--share)*.78),var(--held));font-weight:650}
.matrix td.strong{color:var(--accent-ink)}
.heat{max-width:none}
.heat text{font-size:10px}
.heat .ground{fill:var(--held)}.heat .right{fill:var(--accent)}.heat .wrong{fill:var(--wrong)}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(136px,1fr));gap:14px;list-style:none;margin:12px 0 0;padding:0}
.mistakes li{border:1px solid var(--line);border-radius:10px;overflow:hidden;font-size:.84rem;line-height:1.35;break-inside:avoid}
.mistakes img,.mistakes .noimage{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:var(--held)}
.mistakes .noimage{display:grid;place-items:center;color:var(--quiet)}
.mistakes div{padding:8px 10px}
.mistakes .said{color:var(--wrong);font-weight:600;display:block}
.mistakes .file{color:var(--quiet);font-size:.75rem;display:block;margin-top:3px}
.bar,.num{white-space:nowrap}
.track{display:inline-block;width:90px;height:8px;border-radius:4px;background:var(--held);vertical-align:middle;margin-right:6px;overflow:hidden}
.track span{display:block;height:100%;background:var(--accent)}
.compare{display:grid;gap:8px;margin:6px 0 18px}
.compare div{display:grid;grid-template-columns:minmax(110px,180px) 1fr 74px;gap:12px;align-items:center;font-variant-numeric:tabular-nums}
.compare .track{width:100%;height:22px;border-radius:5px;margin:0}
.compare .other .track span{background:var(--second)}
.compare b{text-align:right;white-space:nowrap}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr));gap:16px;align-items:start}
.two section{margin:0}
.two{margin-bottom:16px}
.settings td{overflow-wrap:anywhere}
.settings th{color:var(--quiet);font-weight:400;min-width:8em}
.classes tbody th{overflow-wrap:anywhere;min-width:6em;max-width:22em}
details{margin:.6em 0}
summary{cursor:pointer;color:var(--accent)}
code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--held);border-radius:8px;padding:12px 14px;overflow-x:auto;margin:.5em 0}
footer{color:var(--quiet);font-size:.85rem;padding:4px 4px 0}
@media (max-width:640px){main{padding:14px 10px 32px}section,.head{padding:16px 14px}.head{grid-template-columns:1fr}.headline{text-align:left}.pairs{columns:1}
.network{flex-direction:column}.network li{margin:0 0 22px;display:grid;grid-template-columns:1fr 1fr;text-align:left;padding:8px 14px;align-items:center}.network li:last-child{margin-bottom:0}.network .state{margin:0;grid-row:2;grid-column:1}.network small{grid-column:2;grid-row:1/3;text-align:right}
.network li:not(:last-child)::after{content:"\\2193";right:auto;left:20px;top:auto;bottom:-24px;transform:none}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:8px}.track{width:56px}.classes .quiet{display:none}.compare div{grid-template-columns:1fr 74px}.compare .track{grid-row:2;grid-column:1/3}.facts div{flex-basis:130px}}
@media print{:root{color-scheme:light;--ground:#fff;--card:#fff;--ink:#111;--quiet:#555;--line:#ccc;--accent:#1f7a4d;--accent-ink:#fff;--wrong:#b3412e;--first:#1f7a4d;--second:#b86a11;--third:#3b6ea8;--held:#eee}body{font-size:11pt}main{max-width:none;padding:0}section,.head,.facts{break-inside:avoid;border-color:#ccc}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
