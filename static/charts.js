/* TokenOps charts: draws every <canvas data-chart>. Chart.js and the annotation plugin are loaded before this file.
   Labels come finished from the server: the browser never parses a date. Lines are straight between days, because a
   curve shows money that was not spent. */
(function () {
  "use strict";
  var root = document.documentElement, live = new Map(), busy = new WeakSet();
  function tok(n) { return getComputedStyle(root).getPropertyValue(n).trim(); }
  /* With the minus sign that the server writes. */
  function format(d, options) {
    var made = new Intl.NumberFormat(d.locale, options);
    return function (v) { return made.format(v).replace("-", "\u2212"); };
  }
  function numbers(d, digits) {
    if (d.unit) {
      var plain = format(d, { maximumFractionDigits: 0 }), one = d.unit.replace(/s$/, "");
      return { format: function (v) { return plain(v) + " " + (Math.abs(v) === 1 ? one : d.unit); } };
    }
    /* No cents for yen, except below what its axis can tell apart. */
    var own = new Intl.NumberFormat(d.locale, { style: "currency", currency: d.currency }).resolvedOptions().maximumFractionDigits;
    var places = digits === 2 ? Math.min(2, own) : digits;
    return { format: format(d, { style: "currency", currency: d.currency, maximumFractionDigits: places, minimumFractionDigits: places }) };
  }
  /* Millions of tokens, shortly, beside an axis. */
  function brief(d, whole) { return d.unit ? { format: format(d, { notation: "compact", maximumFractionDigits: 1 }) } : whole; }
  /* A budget of cents, or a first day with three calls, needs more than whole dollars on its axis. */
  function axisDigits(d, most) { return d.unit || most >= 10 ? 0 : most >= 1 || !most ? 2 : 4; }

  function perDay(d, surf) {
    var bars = barred(d); /* an area needs three days to be seen */
    var sets = d.series.map(function (s, i) {
      var c = tok("--s" + s.slot);
      /* What may be the same call twice does not lie on top of each other. */
      if (d.lines) return { type: bars ? "bar" : "line", label: s.name, data: s.values, stack: "l" + i, backgroundColor: c, borderColor: c, borderWidth: bars ? 0 : 2, fill: false, pointRadius: 0, pointHoverRadius: 4, tension: 0, maxBarThickness: 24, kind: "line" };
      var set = { type: bars ? "bar" : "line", label: s.name, data: s.values, stack: "a", backgroundColor: c, borderColor: surf, borderWidth: d.today > 60 ? 0.75 : 1.5, kind: "series" };
      return bars ? Object.assign(set, { maxBarThickness: 64, borderSkipped: false, borderWidth: { top: 1.5 } }) : Object.assign(set, { fill: i ? "-1" : "origin", pointRadius: 0, pointHoverRadius: 4, pointHoverBackgroundColor: c, pointHoverBorderColor: surf, tension: 0 });
    });
    if (d.dotted) sets.push({ type: "line", label: d.dotted.label, data: d.dotted.values.slice(0, d.today + 1), stack: "dotted", fill: false, borderColor: tok("--chart-forecast"), /* it lies on areas, one of them grey */ borderWidth: 1.75, borderDash: [2, 3], pointRadius: d.today < 2 ? 4 : 0, tension: 0, order: -1, kind: "cmp" });
    if (d.forecast) {
      var lead = Array(d.today).fill(null).concat([d.series.reduce(function (a, s) { return a + (s.values[d.today] || 0); }, 0)]);
      var edge = { type: "line", borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, tension: 0, order: -1, kind: "edge" };
      sets.push(Object.assign({ label: d.total.loLabel, data: lead.concat(d.forecast.lo), stack: "lo", fill: false }, edge), Object.assign({ label: d.total.hiLabel, data: lead.concat(d.forecast.hi), stack: "hi", fill: "-1", backgroundColor: tok("--chart-band"), borderColor: tok("--chart-forecast") }, edge));
      sets.push({ type: "line", label: d.forecast.label, data: lead.concat(d.forecast.mid), stack: "mid", fill: false, borderColor: tok("--chart-forecast"), borderWidth: 2, borderDash: [5, 4], pointRadius: 0, pointHoverRadius: 4, tension: 0, order: -2, kind: "ahead" });
    }
    return sets;
  }
  function barred(d) { return d.bars || d.labels.filter(function (_, i) { return d.series.some(function (s) { return s.values[i]; }); }).length < 3; }
  function runningTotal(d, n) {
    var t = d.today, dots = t < 2 ? 4 : 0, lead = t < 0 ? [] : Array(t).fill(null).concat([d.total.actual[t]]); /* on the first day nothing leads there */
    function past(v) { return v.concat(Array(Math.max(0, n - v.length)).fill(null)).slice(0, n); }
    var sets = [{ label: d.total.label, data: past(d.total.actual), fill: "origin", backgroundColor: tok("--chart-band"), borderColor: tok("--bar-fill"), borderWidth: 2.5, pointRadius: dots, tension: 0, kind: "now" }];
    if (d.total.hi && d.total.hi.length) { /* the band is between its two edges */
      var edge = { borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, tension: 0, order: -1, kind: "edge" };
      sets.push(Object.assign({ label: d.total.loLabel, data: lead.concat(d.total.lo), fill: false }, edge), Object.assign({ label: d.total.hiLabel, data: lead.concat(d.total.hi), fill: "-1", backgroundColor: tok("--chart-band"), borderColor: tok("--chart-forecast") }, edge));
    }
    if (d.total.ahead && d.total.ahead.length) sets.push({ label: d.total.aheadLabel, data: lead.concat(d.total.ahead), fill: false, borderColor: tok("--chart-forecast"), borderWidth: 2, borderDash: [5, 4], pointRadius: 0, pointHoverRadius: 4, tension: 0, order: -2, kind: "ahead" });
    if (d.compare) sets.push({ label: d.compare.label, data: past(d.compare.values), fill: false, borderColor: tok("--chart-compare"), borderWidth: 1.75, borderDash: [2, 3], pointRadius: 0, tension: 0, order: -1, kind: "cmp" });
    if (d.total.pace) sets.push({ label: d.total.paceLabel, data: d.total.pace, fill: false, borderColor: tok("--chart-compare"), borderWidth: 1.75, borderDash: [2, 3], pointRadius: 0, tension: 0, order: -1, kind: "cmp" });
    return sets;
  }
  /* How far a label at a place of the x axis must move so that it is not cut at the right. */
  function inside(place, words) {
    return function (at) { return Math.min(0, at.chart.width - at.chart.scales.x.getPixelForValue(place) - words.length * 3.5 - 8); };
  }
  function notes(d, mode, n, whole, sums, narrow) {
    var t = d.today, list = {}, font = { family: tok("--font"), size: 11, weight: "600" };
    if (t >= 0 && t < n - 1) list.today = { type: "line", xMin: t, xMax: t, borderColor: tok("--chart-axis"), borderWidth: 1, label: { display: true, content: d.labels[t], position: "end", xAdjust: inside(t, d.labels[t]), backgroundColor: tok("--surface-2"), color: tok("--text"), font: font, padding: { x: 6, y: 3 }, borderRadius: 4 } };
    if (d.total.plan && (mode === "total" || d.planOnDays)) list.plan = { type: "line", yMin: d.total.plan, yMax: d.total.plan, borderColor: tok("--chart-plan"), borderWidth: 1.5, label: { display: true, content: d.total.planLabel + " " + brief(d, whole).format(d.total.plan) + (d.unit ? " " + d.unit : ""), position: "start", yAdjust: -11, backgroundColor: "transparent", color: tok("--over"), font: font, padding: 0 } };
    if (mode === "daily") (d.flags || []).forEach(function (f) {
      list["flag" + f.i] = { type: "label", xValue: f.i, yValue: sums[f.i], yAdjust: -14, content: narrow ? f.short : f.label, backgroundColor: tok("--watch-soft"), color: tok("--watch"), font: font, padding: { x: 6, y: 3 }, borderRadius: 4 };
    });
    return list;
  }
  function tooltip(d, mode, sums, whole, fine) {
    var font = tok("--font");
    return {
      backgroundColor: tok("--surface"), titleColor: tok("--text"), bodyColor: tok("--text"), footerColor: tok("--text"), borderColor: tok("--border-strong"), borderWidth: 1, padding: 10, cornerRadius: 8, usePointStyle: true, boxPadding: 4,
      titleFont: { family: font, size: 13, weight: "600" }, bodyFont: { family: font, size: 13 }, footerFont: { family: font, size: 13, weight: "600" },
      filter: function (it) { return it.raw != null && !((it.dataset.kind === "ahead" || it.dataset.kind === "edge") && it.dataIndex === d.today); },
      itemSort: function (a, b) { return b.datasetIndex - a.datasetIndex; },
      callbacks: {
        title: function (it) { return it.length ? d.full[it[0].dataIndex] : ""; },
        label: function (it) { return " " + it.dataset.label + "  " + (it.dataset.kind === "ahead" || it.dataset.kind === "edge" ? whole : fine).format(it.raw); },
        labelColor: function (it) { var s = it.dataset, c = s.kind === "series" ? s.backgroundColor : s.borderColor; return { backgroundColor: c, borderColor: c }; },
        footer: function (it) { return it.length && mode === "daily" && !d.lines && it[0].dataIndex <= d.today ? "Total  " + fine.format(sums[it[0].dataIndex]) : ""; }
      }
    };
  }
  /* What made a difference: each bar begins where the one before it ended, the last is all of it from nothing. */
  function waterfall(cv, d) {
    var colours = { up: tok("--s3"), down: tok("--s2"), whole: tok("--s1") }, most = Math.max.apply(null, d.steps.map(function (s) { return Math.max(Math.abs(s[0]), Math.abs(s[1])); }));
    var whole = numbers(d, axisDigits(d, most)), axis = brief(d, whole), ink = tok("--chart-axis"), font = { family: tok("--font"), size: 12 }, base = tooltip(d, "", [], whole, whole);
    base.callbacks = { title: function (it) { return it.length ? d.full[it[0].dataIndex] : ""; }, label: function (it) { return " " + d.words[it.dataIndex]; }, labelColor: function (it) { var c = colours[d.kinds[it.dataIndex]]; return { backgroundColor: c, borderColor: c }; } };
    return new Chart(cv, {
      type: "bar", data: { labels: d.labels, datasets: [{ data: d.steps, backgroundColor: d.kinds.map(function (k) { return colours[k]; }), borderSkipped: false, maxBarThickness: 26, minBarLength: 2 }] },
      options: {
        indexAxis: "y", responsive: true, maintainAspectRatio: false, animation: false, interaction: { mode: "nearest", axis: "y", intersect: false },
        scales: {
          x: { beginAtZero: true, grid: { color: tok("--chart-grid") }, border: { display: false }, ticks: { color: ink, font: font, maxTicksLimit: 5, maxRotation: 0, callback: function (v) { return axis.format(v); } } },
          y: { grid: { display: false }, border: { color: tok("--border") }, ticks: { color: ink, font: font, autoSkip: false } }
        },
        plugins: { legend: { display: false }, annotation: { annotations: {} }, tooltip: base }
      }
    });
  }
  /* Where a click on this place leads: the address of the nearest point, as the links of the table have it. */
  function drilled(d, e, ch) {
    var hit = d.drill && ch.getElementsAtEventForMode(e, "index", { intersect: false }, false)[0];
    return hit ? d.drill[hit.index] : "";
  }
  function build(cv, d) {
    if (d.steps) return waterfall(cv, d);
    var mode = cv.dataset.mode || "daily", daily = mode === "daily";
    if (daily && d.weeks) d = Object.assign({}, d, d.weeks);
    var t = d.today, narrow = cv.parentElement.clientWidth < 560; /* the canvas has its width once it is drawn */
    var n = daily && !d.forecast ? t + 1 : d.labels.length;
    var sums = d.labels.map(function (_, i) { return d.series.reduce(function (a, s) { return a + (s.values[i] || 0); }, 0); });
    var most = daily ? Math.max.apply(null, sums.concat(d.planOnDays ? d.total.plan : 0, d.forecast ? d.forecast.hi : 0, d.dotted ? d.dotted.values : 0)) : Math.max.apply(null, [d.total.plan || 0, d.total.actual[t] || 0].concat(d.total.ahead || 0, d.total.hi || 0));
    var whole = numbers(d, axisDigits(d, most)), axis = brief(d, whole), fine = numbers(d, Math.max(2, axisDigits(d, most))), ink = tok("--chart-axis"), font = { family: tok("--font"), size: 12 };
    return new Chart(cv, {
      type: "line", data: { labels: d.labels.slice(0, n), datasets: daily ? perDay(d, tok("--surface")) : runningTotal(d, n) },
      options: {
        responsive: true, maintainAspectRatio: false, animation: false, interaction: { mode: "index", intersect: false }, layout: { padding: { top: 22, right: 6 } },
        scales: {
          x: { stacked: daily, offset: daily && barred(d), grid: { display: false }, border: { color: tok("--border") }, ticks: { color: ink, font: font, minRotation: d.names && narrow && n > 3 ? 90 : 0, maxRotation: d.names ? narrow ? 90 : 60 : 0, autoSkip: !d.names, autoSkipPadding: 18, callback: function (v) { var words = this.getLabelForValue(v); return d.names && narrow && words.length > 14 ? words.slice(0, 12).trim() + "\u2026" : words; } } },
          y: { stacked: daily, beginAtZero: true, grace: "6%", grid: { color: tok("--chart-grid") }, border: { display: false }, ticks: { color: ink, font: font, maxTicksLimit: 6, callback: function (v) { return axis.format(v); } } }
        },
        onClick: function (e, hit, ch) { var i = drilled(d, e, ch); if (i) location.assign(i); },
        onHover: function (e, hit, ch) { cv.classList.toggle("opens", !!drilled(d, e, ch)); },
        plugins: { legend: { display: false }, annotation: { clip: false, annotations: notes(d, mode, n, whole, sums, narrow) }, tooltip: tooltip(d, mode, sums, whole, fine) }
      }
    });
  }

  /* First paint reads the page's own json_script block; a canvas without one (a swapped fragment loses it) fetches
     data-url. One draw at a time per canvas: a second call while the first is loading is ignored. */
  function draw(cv) {
    if (busy.has(cv)) return; busy.add(cv);
    var el = cv.dataset.json && document.getElementById(cv.dataset.json);
    var p = el ? Promise.resolve(JSON.parse(el.textContent)) : fetch(cv.dataset.url, { headers: { Accept: "application/json" } }).then(function (r) { if (!r.ok) throw new Error(r.status); return r.json(); });
    p.then(function (d) {
      var old = Chart.getChart(cv); if (old) old.destroy();
      live.set(cv, build(cv, d)); cv.parentElement.classList.remove("failed");
    }).catch(function (err) { cv.parentElement.classList.add("failed"); console.warn("chart:", err.message); }).finally(function () { busy.delete(cv); });
  }
  function scan() {
    live.forEach(function (c, cv) { if (!cv.isConnected) { c.destroy(); live.delete(cv); } });
    document.querySelectorAll("canvas[data-chart]").forEach(function (cv) { if (!live.has(cv)) draw(cv); });
  }
  function redraw() { live.forEach(function (c, cv) { if (cv.isConnected) draw(cv); }); }
  document.addEventListener("DOMContentLoaded", scan);
  document.addEventListener("htmx:afterSettle", scan);
  document.addEventListener("tokenops:theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  document.addEventListener("click", function (e) {
    var m = e.target.closest("a[data-mode]");
    if (m) {
      e.preventDefault();
      m.parentElement.querySelectorAll("a").forEach(function (a) { if (a === m) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current"); });
      m.closest("section").querySelectorAll("[data-only]").forEach(function (k) { k.hidden = k.dataset.only !== m.dataset.mode; });
      var cv = m.closest("section").querySelector("canvas"); cv.dataset.mode = m.dataset.mode; draw(cv); history.replaceState(null, "", m.href);
    }
    var s = e.target.closest("button[data-series]");
    if (s) {
      var on = s.getAttribute("aria-pressed") !== "true"; s.setAttribute("aria-pressed", on);
      var ch = live.get(s.closest("section").querySelector("canvas")); if (ch) { ch.setDatasetVisibility(+s.dataset.series, on); ch.update(); }
    }
  });
})();
