namespace MlOps.Gateway.Experiments.Reports;

/// <summary>The style of the page, for light and dark.</summary>
internal static class ReportStyle
{
    public const string Css =
        """
        :root{--ground:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#5a6775;--line:#dfe4ea;--good:#157f4f;--bad:#c02b3a;--warn:#9a6400;--open:#3d6fb4;
        --good-bg:#e6f5ed;--bad-bg:#fdecee;--warn-bg:#fdf3e0;--open-bg:#e9f0fa}
        @media (prefers-color-scheme:dark){:root{--ground:#10151b;--card:#182029;--ink:#e7ecf2;--soft:#9aa7b5;--line:#2c3743;--good:#4cc38a;--bad:#ff7a85;
        --warn:#e5b04d;--open:#7db0f0;--good-bg:#12301f;--bad-bg:#3a161b;--warn-bg:#33270f;--open-bg:#16263b}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:1080px;margin:0 auto;padding:32px 20px 48px}
        h1{margin:0;font-size:28px;line-height:1.2;overflow-wrap:anywhere}h2{margin:0 0 4px;font-size:18px}
        .kind,.note,footer{color:var(--soft);margin:0 0 8px;font-size:14px}
        .hypothesis{margin:8px 0 20px;max-width:70ch;white-space:pre-line}
        .state,.chip{display:inline-block;font-size:13px;font-weight:600;padding:1px 10px;border-radius:99px;vertical-align:middle;background:var(--open-bg);color:var(--open)}
        .chip.good{background:var(--good-bg);color:var(--good)}.chip.bad{background:var(--bad-bg);color:var(--bad)}
        section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:0 0 16px}
        .verdict{border-left-width:5px}.verdict p{margin:0;max-width:80ch}
        .verdict.good{background:var(--good-bg);border-color:var(--good)}.verdict.bad{background:var(--bad-bg);border-color:var(--bad)}
        .verdict.warn{background:var(--warn-bg);border-color:var(--warn)}.verdict.open{background:var(--open-bg);border-color:var(--open)}
        .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(176px,1fr));gap:12px;margin:0 0 16px}
        .facts div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
        .facts dt{color:var(--soft);font-size:13px}.facts dd{margin:0;font-size:16px;font-weight:600;white-space:nowrap}
        .doubt .metric{opacity:.5}
        .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
        .scroll+.scroll{margin-top:18px}
        th,td{padding:6px 10px;text-align:left;vertical-align:middle}thead th{color:var(--soft);font-weight:500;font-size:13px;border-bottom:1px solid var(--line);white-space:nowrap}
        tbody th{font-weight:600;white-space:nowrap}.number{text-align:right;white-space:nowrap}
        thead th:not(:first-child):not(.plot){text-align:right}
        small{display:block;color:var(--soft);font-size:12px}
        td.plot,th.plot{width:420px;min-width:260px;padding-top:0;padding-bottom:0}thead th.plot{padding:6px 10px}
        svg{display:block;width:100%;height:auto;overflow:visible}
        .zero{stroke:var(--soft);stroke-width:1}.mark{stroke:var(--warn);stroke-width:1.2;stroke-dasharray:4 3}
        .bar{opacity:.35}.bar.good,.point.good{fill:var(--good)}.bar.bad,.point.bad{fill:var(--bad)}.bar.open,.point.open{fill:var(--open)}
        .axis text{fill:var(--soft);font-size:11px}
        .shares{height:90px;border-radius:6px}.legend{display:flex;flex-wrap:wrap;gap:14px;margin:10px 0 4px}.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}
        .arm-0{fill:#7f8c9b;background:#7f8c9b}.arm-1{fill:#3d7fd6;background:#3d7fd6}.arm-2{fill:#d9822b;background:#d9822b}.arm-3{fill:#3aa17e;background:#3aa17e}
        .arm-4{fill:#a05cc0;background:#a05cc0}.arm-5{fill:#c9556b;background:#c9556b}.arm-6{fill:#8a9a2d;background:#8a9a2d}.arm-7{fill:#2fa3b8;background:#2fa3b8}
        .arm-8{fill:#b07d4f;background:#b07d4f}.arm-9{fill:#6a6fd0;background:#6a6fd0}
        @media print{body{background:#fff}section,.facts div{break-inside:avoid}}
        """;
}
