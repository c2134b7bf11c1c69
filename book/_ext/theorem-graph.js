/* Point at a statement of the theorem graph: what it rests on lights up, the rest fades. */
(() => {
  const below = (graph, label, seen = new Set()) => {
    for (const used of graph.get(label) || [])
      if (!seen.has(used)) { seen.add(used); below(graph, used, seen); }
    return seen;
  };
  const start = (frame) => {
    const lines = [...frame.querySelectorAll(".edges path")];
    const boxes = [...frame.querySelectorAll("a.node")];
    const graph = new Map();
    for (const { dataset: { used, user } } of lines)
      graph.set(user, [...(graph.get(user) || []), used]);
    const show = (label) => {
      const lit = label ? below(graph, label).add(label) : new Set();
      frame.classList.toggle("asked", Boolean(label));
      for (const box of boxes) box.classList.toggle("lit", lit.has(box.dataset.label));
      for (const line of lines) line.classList.toggle("lit", lit.has(line.dataset.user));
    };
    for (const box of boxes) {
      const label = box.dataset.label;
      box.addEventListener("pointerenter", () => show(label));
      box.addEventListener("focus", () => show(label));
      box.addEventListener("pointerleave", () => show(""));
      box.addEventListener("blur", () => show(""));
    }
  };
  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".theorem-graph").forEach(start));
})();
