(function () {
  'use strict';
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim(); }

  // unpack reads the columns of a data element: 4-byte little-endian numbers, column after column, gzip, base64.
  async function unpack(id) {
    var e = document.getElementById(id), n = +e.dataset.n, names = JSON.parse(e.dataset.cols);
    var raw = atob(e.textContent.trim()), bytes = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    var view = new DataView(await new Response(stream).arrayBuffer()), out = { n: n };
    names.forEach(function (c, k) {
      var part = c.split(':'), x = part[1] === 'u' ? new Uint32Array(n) : new Float32Array(n);
      for (var i = 0; i < n; i++) x[i] = part[1] === 'u' ? view.getUint32(4 * (k * n + i), true) : view.getFloat32(4 * (k * n + i), true);
      out[part[0]] = x;
    });
    return out;
  }

  function button(figure, text, act) {
    var b = document.createElement('button');
    b.type = 'button'; b.textContent = text; b.onclick = act;
    figure.querySelector('.tools').appendChild(b);
  }

  async function price(figure, box) {
    var d = await unpack(figure.id + '-data'), m = await unpack(figure.id + '-marks'), L = LightweightCharts;
    var bars = [], last = 0;
    for (var i = 0; i < d.n; i++) {
      var t = Math.max(d.time[i], last + 1);
      last = t;
      bars.push({ time: t, open: d.open[i], high: d.high[i], low: d.low[i], close: d.close[i] });
    }
    var span = Math.max.apply(null, bars.slice(-1000).map(function (b) { return b.high; }));
    var decimals = Math.max(0, Math.min(8, 5 - Math.ceil(Math.log10(Math.max(span, 1e-9)))));
    box.style.height = '380px';
    var chart = L.createChart(box, { autoSize: true, layout: { attributionLogo: true, fontFamily: 'inherit' }, timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 0.02 } });
    var series = chart.addSeries(L.CandlestickSeries, { priceFormat: { type: 'price', precision: decimals, minMove: Math.pow(10, -decimals) } });
    series.setData(bars);
    var at = new Map();
    for (i = 0; i < d.n; i++) at.set(d.time[i], i);
    var marks = L.createSeriesMarkers(series, []);
    function paint() {
      var pos = colour('pos'), neg = colour('neg');
      chart.applyOptions({
        layout: { background: { type: 'solid', color: colour('panel') }, textColor: colour('muted') },
        grid: { vertLines: { color: colour('grid') }, horzLines: { color: colour('grid') } },
        rightPriceScale: { borderColor: colour('line') }, timeScale: { borderColor: colour('line') }
      });
      series.applyOptions({ upColor: colour('panel'), downColor: colour('soft'), borderUpColor: colour('soft'), borderDownColor: colour('soft'), wickUpColor: colour('soft'), wickDownColor: colour('soft') });
      var list = [];
      for (var k = 0; k < m.n; k++) {
        var i = at.get(m.time[k]), n = m.long[k] + m.short[k], up = m.long[k] >= m.short[k];
        if (i === undefined) continue;
        list.push({ time: bars[i].time, position: up ? 'belowBar' : 'aboveBar', shape: up ? 'arrowUp' : 'arrowDown', color: m.net[k] > 0 ? pos : neg, text: n > 1 ? String(n) : '' });
      }
      marks.setMarkers(list);
    }
    paint();
    dark.addEventListener('change', paint);
    var end = m.n ? at.get(m.time[m.n - 1]) : d.n - 1, wide = Math.max(40, Math.min(160, Math.round(box.clientWidth / 7)));
    function close() { chart.timeScale().setVisibleLogicalRange({ from: end - wide, to: end + 8 }); }
    button(figure, 'Latest trades', close);
    button(figure, 'Show all', function () { chart.timeScale().fitContent(); });
    close();
  }

  async function equity(figure, box) {
    var d = await unpack(figure.id + '-data'), top, low;
    var topBox = document.createElement('div'), title = document.createElement('p'), lowBox = document.createElement('div');
    title.className = 'note'; title.textContent = 'Drawdown, net';
    box.append(topBox, title, lowBox);
    function percent(u, v) { return v == null ? '–' : v.toFixed(2).replace('-', '−') + ' %'; }
    function axis() { return { stroke: colour('muted'), grid: { stroke: colour('grid'), width: 1 }, ticks: { stroke: colour('grid'), width: 1 } }; }
    // Both charts get the same gutter, wide enough for the longest label: left alone, uPlot cuts labels off.
    var most = 0;
    ['net', 'gross', 'hold', 'same', 'drawdown'].forEach(function (k) { (d[k] || []).forEach(function (x) { most = Math.max(most, Math.abs(x)); }); });
    var gutter = 30 + 8 * Math.max(3, most.toFixed(0).length + 1);
    // Days are the finest step; uPlot's own formats are American.
    var step = 86400, months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
    function below() {
      return Object.assign(axis(), {
        incrs: [1, 2, 5, 10, 15, 30, 60, 90, 120, 180, 365, 730, 1825].map(function (n) { return n * step; }), space: 64,
        values: function (u, splits, i, space, incr) {
          var year = 0;
          return splits.map(function (t) {
            var at = new Date(t * 1e3), y = at.getUTCFullYear(), month = months[at.getUTCMonth()];
            var text = incr >= 365 * step ? String(y) : (incr >= 28 * step ? month : at.getUTCDate() + ' ' + month) + (y !== year ? '\n' + y : '');
            year = y;
            return text;
          });
        }
      });
    }
    function left() {
      return Object.assign(axis(), { size: gutter, values: function (u, v) { return v.map(function (x) { return String(+x.toFixed(4)).replace('-', '−') + ' %'; }); } });
    }
    function draw() {
      if (top) { top.destroy(); low.destroy(); }
      var w = box.clientWidth, sync = { key: figure.id };
      var lines = [['gross', 'before costs'], ['hold', 'buy and hold'], ['same', 'same exposure']].filter(function (s) { return d[s[0]]; });
      var base = { width: w, tzDate: function (t) { return uPlot.tzDate(new Date(t * 1e3), 'UTC'); }, cursor: { sync: sync, points: { size: 6 } } };
      var day = { label: 'Day', value: function (u, t) { return t == null ? '–' : new Date(t * 1e3).toISOString().slice(0, 10); } };
      top = new uPlot(Object.assign({}, base, { height: 280, axes: [below(), left()], series: [day].concat(lines.map(function (s) {
        return { label: s[1], stroke: colour(s[0]), width: 1.2, value: percent };
      }), [{ label: 'net', stroke: colour('accent'), width: 2, value: percent }]) }),
        [d.time].concat(lines.map(function (s) { return d[s[0]]; }), [d.net]), topBox);
      low = new uPlot(Object.assign({}, base, { height: 130, legend: { show: false }, axes: [below(), left()],
        series: [day, { label: 'drawdown', stroke: colour('neg'), width: 1.2, fill: colour('negbg'), value: percent }] }), [d.time, d.drawdown], lowBox);
    }
    draw();
    var wide = box.clientWidth;
    new ResizeObserver(function () { if (box.clientWidth !== wide) { wide = box.clientWidth; draw(); } }).observe(box);
    dark.addEventListener('change', draw);
  }

  var kinds = { price: price, equity: equity };
  window.mlfactory = { done: Promise.all(Array.from(document.querySelectorAll('[data-chart]')).map(function (figure) {
    var box = figure.querySelector('.live');
    return kinds[figure.dataset.chart](figure, box).catch(function (e) { // the still picture takes its place
      box.classList.add('failed');
      figure.classList.add('broken');
      console.error(e);
    });
  })) };
})();
