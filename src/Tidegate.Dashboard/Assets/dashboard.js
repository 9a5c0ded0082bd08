// Draws charts. What is drawn comes from the gateway as data; how it looks is decided here and in the style sheet's colours.
const charts = new Map();
let library;

const load = path => library ??= new Promise((resolve, reject) => {
  const script = document.createElement('script');
  script.src = path;
  script.onload = () => resolve(globalThis.echarts);
  script.onerror = () => { library = undefined; reject(new Error('The drawing script did not come.')); };
  document.head.append(script);
});

export async function draw(element, spec, page) {
  const echarts = await load(spec.scriptPath);
  if (!element?.isConnected) {
    return;
  }

  let entry = charts.get(element);
  if (!entry) {
    const chart = echarts.init(element, null, { renderer: 'canvas' });
    const sizes = new ResizeObserver(() => {
      chart.resize();
      if (entry.spec) { chart.setOption(option(entry)); }
    });
    entry = { chart, sizes, page };
    sizes.observe(element);
    charts.set(element, entry);
    chart.on('click', event => { if (event.data?.path) { page.invokeMethodAsync('Go', event.data.path); } });
    brush(entry);
  }

  const isSame = entry.spec && entry.spec.kind === spec.kind && entry.spec.series.length === spec.series.length;
  entry.spec = spec;
  if (!isSame) {
    entry.chart.dispatchAction({ type: 'hideTip' });
  }

  entry.chart.setOption(option(entry), { notMerge: !isSame });
}

export function remove(element) {
  const entry = charts.get(element);
  if (entry) {
    entry.sizes.disconnect();
    entry.chart.dispose();
    charts.delete(element);
  }
}

const redraw = () => { for (const entry of charts.values()) { if (entry.spec) { entry.chart.dispatchAction({ type: 'hideTip' }); entry.chart.setOption(option(entry), { notMerge: true }); } } };
document.addEventListener('tidegate-theme', redraw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const seriesColour = name => colour('chart-' + name);

const digits = value => {
  const size = Math.abs(value);
  return size >= 100 ? value.toLocaleString('en', { maximumFractionDigits: 0 }) : value.toLocaleString('en', { maximumSignificantDigits: 3 });
};
const scaled = (value, steps) => {
  for (const [from, unit, by] of steps) {
    if (Math.abs(value) >= from) { return digits(value / by) + unit; }
  }
  return digits(value);
};
const write = {
  rate: value => value > 0 && value < 0.1 ? digits(value * 60) + '/min' : digits(value) + '/s',
  ms: value => scaled(value, [[1000, ' s', 1000], [0, ' ms', 1]]),
  share: value => digits(value * 100) + ' %',
  bytes: value => scaled(value, [[1e9, ' GB/s', 1e9], [1e6, ' MB/s', 1e6], [1e3, ' kB/s', 1e3], [0, ' B/s', 1]]),
  count: value => scaled(value, [[1e6, ' M', 1e6], [1e4, ' k', 1e3], [0, '', 1]]),
};

const time = (milliseconds, utc, withDay) => new Date(milliseconds).toLocaleString('en-GB', {
  timeZone: utc ? 'UTC' : undefined, hour: '2-digit', minute: '2-digit', ...(withDay ? { day: 'numeric', month: 'short' } : {}),
});

const text = (content, name) => { const part = document.createElement('span'); part.textContent = content; part.className = name; return part; };

const tip = (heading, lines) => {
  const box = document.createElement('div');
  box.className = 'tip';
  box.append(text(heading, 'head'));
  for (const [mark, name, value] of lines) {
    const line = document.createElement('div');
    const dot = text('', 'dot');
    dot.style.background = mark;
    line.append(dot, text(name, 'name'), text(value, 'value'));
    box.append(line);
  }
  return box;
};

const tooltip = more => ({
  className: 'tip-frame', backgroundColor: colour('surface'), borderColor: colour('line'), borderWidth: 1, padding: 0, extraCssText: '', confine: true, transitionDuration: 0, ...more,
});

function option({ spec, chart }) {
  const base = { animation: false, useUTC: spec.utc, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour('soft') }, aria: { enabled: false } };
  return { ...base, ...(spec.kind === 'sankey' ? sankey(spec) : spec.kind === 'heatmap' ? heatmap(spec) : lines(spec, chart.getWidth())) };
}

const timeAxis = spec => ({
  type: 'time', min: spec.from, max: spec.to, axisLine: { lineStyle: { color: colour('line') } }, axisTick: { show: false }, splitLine: { show: false },
  axisLabel: { color: colour('soft'), fontSize: 11, hideOverlap: true, formatter: value => time(value, spec.utc, spec.to - spec.from > 86400000) },
});

// What did not happen needs no place in the legend, nor at the mouse.
const seen = spec => spec.series.filter((series, i) => i === 0 || series.points.some(point => point[1]));

// The button that shows a table stands over the corner of a chart without a title.
const buttonWidth = 104;
const buttonHeight = 24;

function lines(spec, width) {
  const isBars = spec.kind === 'bars';
  return {
    grid: { left: 4, right: 8, top: spec.series.length > 1 ? 28 : 10, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    legend: spec.series.length > 1 ? { data: seen(spec).map(series => series.name), top: 0, left: 0, width: Math.max(0, width - buttonWidth), itemWidth: 10, itemHeight: 10, itemGap: 12, icon: 'roundRect', textStyle: { color: colour('soft'), fontSize: 11 }, type: 'scroll', pageIconColor: colour('soft'), pageIconInactiveColor: colour('line'), pageTextStyle: { color: colour('soft'), fontSize: 11 }, pageIconSize: 10, pageButtonItemGap: 3 } : undefined,
    tooltip: tooltip({
      trigger: 'axis',
      axisPointer: { type: 'line', lineStyle: { color: colour('soft'), type: 'solid', width: 1 } },
      // The mouse may still be where the time before had points.
      formatter: points => !points[0]?.value ? '' : tip(
        time(points[0].value[0], spec.utc, true),
        points.filter(point => point.value?.[1] != null && (point.value[1] > 0 || point.seriesIndex === 0)).map(point => [point.color, point.seriesName, write[spec.unit](point.value[1])])),
    }),
    xAxis: timeAxis(spec),
    yAxis: {
      type: 'value', min: 0, splitNumber: 3, axisLabel: { color: colour('soft'), fontSize: 11, formatter: write[spec.unit] }, splitLine: { lineStyle: { color: colour('hair') } },
    },
    series: spec.series.map(series => ({
      name: series.name, type: isBars ? 'bar' : 'line', data: series.points, stack: series.isStacked ? 'all' : undefined, color: seriesColour(series.colour),
      showSymbol: series.points.filter(point => point[1] != null).length < 40, symbolSize: 3, symbol: 'circle', barCategoryGap: '12%', lineStyle: { width: series.isStacked ? 1 : 1.6 }, connectNulls: false,
      areaStyle: series.isFilled ? { opacity: series.isStacked ? 0.55 : 0.14 } : undefined, emphasis: { disabled: true },
    })),
  };
}

function sankey(spec) {
  return {
    tooltip: tooltip({
      trigger: 'item',
      formatter: point => point.dataType === 'edge'
        ? tip(`${label(spec, point.data.source)} → ${label(spec, point.data.target)}`, [[point.color, 'calls', write.count(point.data.value)]])
        : tip(label(spec, point.name), [[point.color, 'calls', write.count(point.value)]]),
    }),
    series: [{
      type: 'sankey', left: 4, right: 4, top: buttonHeight, bottom: 8, nodeWidth: 8, nodeGap: 14, draggable: false, layoutIterations: 32, emphasis: { focus: 'adjacency' },
      data: spec.nodes.map(node => ({
        name: node.id, path: node.path, depth: node.column, itemStyle: { color: seriesColour(node.colour), borderWidth: 0 }, cursor: node.path ? 'pointer' : 'default',
        label: { position: node.column === Math.max(...spec.nodes.map(other => other.column)) ? 'left' : 'right' },
      })),
      links: spec.links.map(link => ({ source: link.source, target: link.target, value: link.value, lineStyle: { color: seriesColour(link.colour), opacity: 0.28, curveness: 0.5 } })),
      label: { color: colour('text'), fontSize: 11.5, formatter: point => label(spec, point.name), textBorderColor: colour('surface'), textBorderWidth: 2 },
    }],
  };
}

const label = (spec, id) => spec.nodes.find(node => node.id === id)?.label ?? id;

function heatmap(spec) {
  const columns = Array.from({ length: Math.max(1, Math.ceil((spec.to - spec.from) / spec.step)) }, (_, i) => spec.from + i * spec.step);
  const column = new Map(columns.map((begin, i) => [begin, i]));
  return {
    grid: { left: 4, right: 8, top: buttonHeight, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    tooltip: tooltip({
      trigger: 'item',
      formatter: point => tip(time(columns[point.value[0]], spec.utc, true), [[point.color, spec.rows[point.value[1]], write.count(point.value[2]) + ' calls']]),
    }),
    xAxis: {
      type: 'category', data: columns, axisTick: { show: false }, axisLine: { show: false },
      axisLabel: { color: colour('soft'), fontSize: 11, hideOverlap: true, formatter: value => time(Number(value), spec.utc, spec.to - spec.from > 86400000) },
    },
    yAxis: { type: 'category', data: spec.rows, axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colour('soft'), fontSize: 11 } },
    visualMap: { show: false, min: 0, max: Math.max(1, ...spec.cells.map(cell => Math.sqrt(cell[2]))), dimension: 3, inRange: { color: [colour('heat-0'), colour('heat-1'), colour('heat-2'), colour('heat-3')] } },
    series: [{
      type: 'heatmap', data: spec.cells.filter(cell => column.has(cell[0])).map(cell => [column.get(cell[0]), cell[1], cell[2], Math.sqrt(cell[2])]), itemStyle: { borderColor: colour('surface'), borderWidth: 1, borderRadius: 2 },
      emphasis: { itemStyle: { borderColor: colour('text') } }, progressive: 0,
    }],
  };
}

// A stretch of time that is drawn with the mouse becomes what the page shows.
function brush(entry) {
  const place = entry.chart.getDom();
  const x = event => Math.max(0, Math.min(place.clientWidth, event.clientX - place.getBoundingClientRect().left));
  place.addEventListener('mousedown', event => {
    const isTime = entry.spec?.kind === 'lines' || entry.spec?.kind === 'bars';
    const begin = x(event);
    if (!isTime || event.button !== 0 || !entry.chart.containPixel({ gridIndex: 0 }, [begin, event.clientY - place.getBoundingClientRect().top])) {
      return;
    }

    const box = document.createElement('div');
    box.className = 'brush';
    place.append(box);
    const move = now => {
      box.style.left = Math.min(begin, x(now)) + 'px';
      box.style.width = Math.abs(x(now) - begin) + 'px';
    };
    const end = now => {
      removeEventListener('mousemove', move);
      box.remove();
      if (Math.abs(x(now) - begin) < 8) {
        return;
      }

      const [from, to] = [Math.min(begin, x(now)), Math.max(begin, x(now))].map(pixel => entry.chart.convertFromPixel({ xAxisIndex: 0 }, pixel));
      entry.page.invokeMethodAsync('Zoom', Math.max(from, entry.spec.from), Math.min(to, entry.spec.to));
    };
    addEventListener('mousemove', move);
    addEventListener('mouseup', end, { once: true });
    event.preventDefault();
  });
}
