/* A planar QP, min ½(x-c)ᵀP(x-c) over Gx ≤ h, that is solved anew at every drag. */
(() => {
  const TOUCH = 1e-9; // slack or multiplier below which a wall counts as touched
  const KINK = 2e-2; // margin below which the reader is told that this is a kink
  const RED = "#c44e3b", BLUE = "#3b78c4", GREY = "#8a8a8a", GREEN = "#4c8f5b";
  const HALF = 3; // half width of the plane that is shown
  const ASIDE = -1.9; // along its wall from the foot of the origin: where a handle sits

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const times = (M, v) => M.map((row) => dot(row, v));

  /* Gaussian elimination with pivoting; null where the matrix is singular. */
  function linear(K, r) {
    const n = r.length, M = K.map((row, i) => [...row, r[i]]);
    for (let i = 0; i < n; i++) {
      let p = i;
      for (let k = i + 1; k < n; k++) if (Math.abs(M[k][i]) > Math.abs(M[p][i])) p = k;
      if (Math.abs(M[p][i]) < 1e-12) return null;
      [M[i], M[p]] = [M[p], M[i]];
      for (let k = 0; k < n; k++) {
        if (k === i) continue;
        const f = M[k][i] / M[i][i];
        for (let j = i; j <= n; j++) M[k][j] -= f * M[i][j];
      }
    }
    return M.map((row, i) => row[n] / row[i]);
  }

  const kkt = (P, rows) => [
    ...P.map((p, i) => [...p, ...rows.map((g) => g[i])]),
    ...rows.map((g) => [...g, ...rows.map(() => 0)]),
  ];

  /* Every set of at most two walls, the small ones first. */
  function sets(m) {
    const found = [[]];
    for (let i = 0; i < m; i++) found.push([i]);
    for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) found.push([i, j]);
    return found;
  }

  /* The solution, multipliers, slacks, active walls and ∂x/∂c; null if infeasible. */
  function solve({ P, target, G, h }) {
    for (const active of sets(h.length)) {
      const rows = active.map((i) => G[i]), K = kkt(P, rows);
      const z = linear(K, [...times(P, target), ...active.map((i) => h[i])]);
      if (!z) continue;
      const x = z.slice(0, 2), lam = h.map(() => 0);
      active.forEach((i, k) => { lam[i] = z[2 + k]; });
      const slack = h.map((bound, i) => bound - dot(G[i], x));
      if (Math.min(...slack) < -TOUCH || Math.min(...lam) < -TOUCH) continue;
      const columns = [0, 1].map((j) =>
        linear(K, [...P.map((row) => row[j]), ...active.map(() => 0)]));
      const jacobian = [0, 1].map((i) => [columns[0][i], columns[1][i]]);
      const margin = Math.min(...lam.map((l, i) => Math.max(l, slack[i])));
      return { x, lam, slack, active, jacobian, margin };
    }
    return null;
  }

  /* Corners of the square cut by every wall in turn. */
  function region({ G, h }) {
    let corners = [[-9, -9], [9, -9], [9, 9], [-9, 9]];
    G.forEach((g, i) => {
      const kept = [];
      corners.forEach((a, k) => {
        const b = corners[(k + 1) % corners.length];
        const s = h[i] - dot(g, a), t = h[i] - dot(g, b);
        if (s >= 0) kept.push(a);
        if (s * t < 0) kept.push([0, 1].map((j) => a[j] + (s / (s - t)) * (b[j] - a[j])));
      });
      corners = kept;
    });
    return corners;
  }

  const show = (v) => (Math.abs(v) < 5e-4 ? 0 : v).toFixed(2).replace("-", "−");

  function readout(box, problem, sol) {
    if (!sol) {
      box.innerHTML = "<p><strong>No point satisfies every wall.</strong> "
        + "There is no solution, hence no derivative.</p>";
      return;
    }
    const rows = sol.lam.map((l, i) => {
      const state = sol.slack[i] > 1e-6 ? "inactive"
        : l > 1e-6 ? "active" : "weakly active";
      return `<tr><th scope="row">wall ${i + 1}</th><td>${show(sol.slack[i])}</td>`
        + `<td>${show(l)}</td><td>${state}</td></tr>`;
    });
    const rank = 2 - Math.min(2, sol.active.length);
    const verdict = sol.margin < KINK
      ? "at or near a kink: only one-sided derivatives can be trusted"
      : `differentiable; the Jacobian has rank ${rank}`;
    const J = sol.jacobian.map((row) => row.map(show).join(" &nbsp; ")).join("<br>");
    box.innerHTML = '<table><thead><tr><th scope="col">wall</th>'
      + '<th scope="col">slack</th><th scope="col">multiplier</th>'
      + `<th scope="col">state</th></tr></thead><tbody>${rows.join("")}</tbody></table>`
      + `<p><span class="jacobian">∂x/∂c = <span>${J}</span></span> ${verdict}.</p>`;
  }

  function draw(figure) {
    const problem = JSON.parse(figure.dataset.problem);
    const frame = figure.querySelector(".jxgbox");
    frame.textContent = "";
    const board = JXG.JSXGraph.initBoard(frame.id, {
      boundingbox: [-HALF, HALF, HALF, -HALF], keepaspectratio: true, axis: false,
      showCopyright: false, showNavigation: false, showInfobox: false,
      pan: { enabled: false }, zoom: { enabled: false }, browserPan: true,
      keyboard: { enabled: true, dx: 0.1, dy: 0.1 }, description: "",
    });
    const state = { sol: solve(problem) };
    const curve = (points, look) => {
      const made = board.create("curve", [[0], [0]],
        { highlight: false, fixed: true, tabindex: null, ...look });
      made.updateDataArray = function () {
        const found = points();
        [this.dataX, this.dataY] = [0, 1].map((j) => found.map((p) => p[j]));
      };
      return made;
    };
    const round = (map) => Array.from({ length: 73 }, (_, k) => {
      const a = (k * Math.PI) / 36;
      return map([Math.cos(a), Math.sin(a)]);
    });
    const at = () => (state.sol ? state.sol.x : [NaN, NaN]);
    const from = (centre, step) => [centre[0] + step[0], centre[1] + step[1]];
    /* A force at the solution; outside the board where there is none to be drawn. */
    const arrow = (force, strokeColor) => curve(() => {
      const step = state.sol ? force(state.sol) : [0, 0];
      return Math.hypot(...step) > 1e-6 ? [at(), from(at(), step)] : [[99, 99], [99, 98]];
    }, { strokeColor, strokeWidth: 3, lastArrow: { type: 1, size: 5 } });
    const closed = (points) => (points.length ? [...points, points[0]] : [[NaN, NaN]]);

    curve(() => closed(region(problem)),
      { fillColor: GREEN, fillOpacity: 0.16, strokeWidth: 0 });
    const { P } = problem, det = P[0][0] * P[1][1] - P[0][1] ** 2;
    for (const share of [0.45, 1]) { // level sets: one through x, one inside
      curve(() => {
        const away = [0, 1].map((j) => at()[j] - problem.target[j]);
        const size = share * Math.sqrt(Math.max(dot(away, times(P, away)), 0));
        const root = Math.sqrt(P[0][0]);
        return round(([a, b]) => { // c + size · L⁻ᵀ(a, b) with P = LLᵀ
          const second = (b * root) / Math.sqrt(det);
          const first = (a - (P[0][1] / root) * second) / root;
          return from(problem.target, [size * first, size * second]);
        });
      }, { strokeColor: GREY, strokeWidth: 1, dash: 2 });
    }
    problem.G.forEach((g, i) => {
      const along = [-g[1], g[0]];
      curve(() => [-9, 9].map((t) =>
        from([problem.h[i] * g[0], problem.h[i] * g[1]], [t * along[0], t * along[1]])),
      { strokeColor: RED, strokeWidth: 2.5 });
    });
    curve(() => round((v) => from(at(), times(state.sol ? state.sol.jacobian
      : [[NaN, NaN], [NaN, NaN]], [0.6 * v[0], 0.6 * v[1]]))),
    { strokeColor: BLUE, strokeWidth: 4, fillColor: BLUE, fillOpacity: 0.2 });
    problem.G.forEach((g, i) => {
      arrow((sol) => [0, 1].map((j) => -sol.lam[i] * g[j]), RED);
    });
    arrow((sol) => times(P, [0, 1].map((j) => problem.target[j] - sol.x[j])), BLUE);

    const label = { color: GREY, fontSize: 15, offset: [10, 12] };
    const target = board.create("point", problem.target,
      { name: "c", size: 6, color: BLUE, label, tabindex: 0 });
    const seat = (g, h) => [h * g[0] - ASIDE * g[1], h * g[1] + ASIDE * g[0]];
    const handles = problem.G.map((g, i) => {
      const track = board.create("line", [seat(g, 0), seat(g, 1)],
        { visible: false, fixed: true, tabindex: null });
      return board.create("glider", [...seat(g, problem.h[i]), track],
        { name: `${i + 1}`, size: 6, color: RED, face: "[]", label, tabindex: 0 });
    });
    board.create("point", [() => at()[0], () => at()[1]],
      { name: "x", size: 4, color: GREY, fixed: true, label, tabindex: null });

    const moved = () => {
      problem.target = [target.X(), target.Y()];
      problem.h = handles.map((handle, i) => dot(problem.G[i], [handle.X(), handle.Y()]));
      state.sol = solve(problem);
      readout(figure.querySelector(".draggable-readout"), problem, state.sol);
    };
    for (const handle of [target, ...handles]) handle.on("drag", moved);
    moved();
    board.fullUpdate();
    /* For the tests: move the handles as a hand would, and say what the page found. */
    figure.companion = {
      drag(c, h) {
        target.setPositionDirectly(JXG.COORDS_BY_USER, c);
        handles.forEach((handle, i) =>
          handle.setPosition(JXG.COORDS_BY_USER, seat(problem.G[i], h[i])));
        board.update();
        moved();
        board.update();
        return { problem: JSON.parse(JSON.stringify(problem)), solution: state.sol };
      },
    };
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".draggable-wall").forEach(draw));
})();
