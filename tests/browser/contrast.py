"""How far colours on a page are from what is behind them, by WCAG's formula; JavaScript for the browser."""

from __future__ import annotations

SMALLEST_CONTRAST = 4.5  # WCAG 2.2, level AA, for text
LEAST_EDGE_CONTRAST = 3.0  # the same, for the edges of fields and buttons

_COLOURS = """
  const sized = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const canvas = sized.getContext('2d', {willReadFrequently: true});
  const rgb = text => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
"""
# Of every element with text of its own, the contrast with the nearest opaque background.
CONTRASTS = f"""() => {{{_COLOURS}
  const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  return [...document.body.querySelectorAll(':not(svg *)')]
    .filter(element => own(element) && element.checkVisibility({{opacityProperty: true, visibilityProperty: true}}))
    .map(element => [
      ratio(rgb(getComputedStyle(element).color), behind(element)), element.textContent.trim().slice(0, 40)
    ]);
}}"""
# Of one colour of an element, such as its border's, the contrast with what is around the element.
CONTRAST_WITH_SURROUNDINGS = f"""(element, property) => {{{_COLOURS}
  return ratio(rgb(getComputedStyle(element)[property]), behind(element.parentElement));
}}"""
