// Draws the charts of the page: each panel holds its Vega-Lite specification beside the place where it goes. When all are
// done, the root element says how many were drawn and how many were not.
'use strict';
(() => {
  const config = {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    view: {stroke: null},
    axis: {labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', titleColor: '#5b6570', labelColor: '#333',
           gridColor: '#e4e6e0', domainColor: '#999', tickColor: '#999'},
    legend: {labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal'},
    line: {strokeWidth: 1.8},
    point: {color: '#1f5fa8'},
  };
  const panels = [...document.querySelectorAll('.panel')];
  const draw = async (panel) => {
    const place = panel.querySelector('.drawing');
    try {
      if (typeof vegaEmbed === 'undefined') throw new Error('no library that draws charts in this file');
      const spec = JSON.parse(panel.querySelector('script').textContent);
      const alone = panel.parentElement.classList.contains('one');
      const actions = alone && {export: true, source: false, compiled: false, editor: false};
      await vegaEmbed(place, spec, {renderer: 'svg', config, actions});
      return true;
    } catch (error) {
      place.className = 'failed';
      place.textContent = 'Not drawn: ' + error.message;
      return false;
    }
  };
  // What is folded away on a screen is on paper.
  addEventListener('beforeprint', () => document.querySelectorAll('details.table').forEach((one) => { one.open = true; }));
  Promise.all(panels.map(draw)).then((drawn) => {
    document.documentElement.dataset.drawn = drawn.filter(Boolean).length;
    document.documentElement.dataset.failed = drawn.filter((one) => !one).length;
  });
})();
