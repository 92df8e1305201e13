/*
 * The states that the panel is looked at in. One example session runs through them and its figures agree:
 * 41.3 Wh at 41.45 g/kWh are 1.7 g CO2e.
 */
import { changed, empty, reduce } from '/browser/store.js';

/** The regions, as the package ships them. */
export const table = await (await fetch('/regions')).json();

export const WH = 3600;
const NOON = 1_760_011_200;
const HOSTILE = '<img src=x onerror="window.hacked = true"><b>bold</b>';

const FRANCE = {
  id: 'FR',
  name: 'France',
  source: 'timezone',
  found: 'From the time zone Europe/Paris',
  intensity: [24.87, 41.45, 78.55],
  intensity_source: 'Ember',
  intensity_year: 2025,
  pue: 1,
};
const UNKNOWN = {
  id: null,
  name: '',
  source: 'unknown',
  found: 'Time zone UTC',
  intensity: [37.47, 458.49, 813.6],
  intensity_source: 'Ember',
  intensity_year: 2025,
  pue: 1,
};
/** A row of the user's own, in the form of regions.json. */
const ownRow = (fields) => table.columns.map((column) => fields[column] ?? null);
const SOURCES = [
  {
    domain: 'gpu',
    state: 'Measured',
    provenance: 'measured',
    words: 'NVML, ±10 %; GeForce RTX 4070, this kernel alone on it',
  },
  { domain: 'cpu', state: 'Measured', provenance: 'measured', words: 'RAPL package, ±5 %; by this kernel’s CPU time' },
  { domain: 'dram', state: 'Modelled', provenance: 'modelled', words: '32 GB × 0.30 W (0.10–0.60)' },
  { domain: 'grid', state: 'France, 41 g/kWh (24–79)', provenance: null, words: 'Ember, 2025; range: at least ±40 %' },
];
const MODELLED = [
  {
    domain: 'cpu',
    state: 'Modelled',
    provenance: 'modelled',
    words: '2 vCPUs × 0.65–3.3 W by load (0.2–5.4). No sensor is visible in this virtual machine.',
  },
  { domain: 'dram', state: 'Modelled', provenance: 'modelled', words: '8 GB allotted × 0.30 W (0.10–0.60)' },
  { domain: 'gpu', state: 'None found', provenance: null, words: '' },
  {
    domain: 'grid',
    state: 'Unknown',
    provenance: 'assumed',
    words: 'World average 458 g/kWh (Ember, 2025) would give 1.8 g',
  },
];
const CODE = {
  5: 'df = pd.read_parquet("reviews.parquet")',
  7: 'emb = encoder.encode(texts, batch_size=64)',
  9: 'search = RandomizedSearchCV(clf, space, n_iter=40)',
  10: 'scores = evaluate(model, test_ds)',
  12: 'model.fit(train_ds, epochs=40, validation_data=val_ds)',
};

/** Joules around a best, a tenth to either side. */
const about = (best, down = 0.83, up = 1.25) => [best * down, best, best * up];

export function cell(count, wh, more = {}) {
  const energy = wh === null ? null : wh * WH;
  return {
    record_id: `record-${count}`,
    cell_id: `cell-${count}`,
    execution_count: count,
    label: null,
    status: 'ok',
    final: true,
    concurrent: false,
    started_at: NOON + count * 60,
    duration_s: 94,
    energy_j: energy === null ? null : about(energy),
    emissions_g: energy === null ? null : about((energy / 3.6e6) * 41.45, 0.6, 1.95),
    region_known: true,
    domains: energy === null ? {} : { gpu: energy * 0.6, cpu: energy * 0.33, dram: energy * 0.07 },
    provenance: 'measured',
    below_resolution: false,
    ...more,
  };
}

export function totals(wh = 41.3, more = {}) {
  const energy = wh * WH;
  return {
    now: NOON + 2834,
    duration_s: 2834,
    energy_j: about(energy, 0.824, 1.259),
    machine_energy_j: about(energy * 1.2),
    between_j: about(9.8 * WH),
    emissions_g: about((energy / 3.6e6) * 41.45, 0.77, 1.98),
    emissions_known: true,
    power_w: 186,
    mean_power_w: 52.6,
    domains: {
      gpu: { energy_j: about(energy * 0.6), power_w: 128, provenance: 'measured', origin: 'NVML' },
      cpu: { energy_j: about(energy * 0.31), power_w: 52, provenance: 'measured', origin: 'RAPL' },
      dram: { energy_j: about(energy * 0.09), power_w: 5.6, provenance: 'modelled', origin: 'modelled' },
    },
    measured_part: 0.91,
    equivalent: { text: '1.5 cups of water boiled', bounds: '(1.1–2.2)' },
    ...more,
  };
}

/** Watts of five minutes: idle, a cell, a gap, a cell. */
export function samples(seconds = 300, end = NOON + 2834) {
  const rows = [];
  for (let at = seconds; at >= 0; at -= 1) {
    if (at === 234) rows.push([end - at, null, null, null]);
    if (at > 225 && at < 235) continue;
    const busy = (at < 135 || (at > 190 && at < 222) || at > 262) && at % 40 !== 0;
    const noise = ((at * 7919) % 13) - 6;
    rows.push([end - at, busy ? 50 + noise : 8, busy ? 122 + 2 * noise : 3, busy ? 5.4 : 4.1]);
  }
  return rows;
}

const message = (type, fields) => ({ type, session_id: 'session-1', ...fields });
export const opening = (fields = {}) =>
  message('state', {
    protocol: 1,
    version: '1.3',
    now: NOON,
    started_at: NOON,
    tracking: true,
    region: FRANCE,
    sources: SOURCES,
    problems: [],
    regions: [],
    ...fields,
  });
export const running = (more = {}) => cell(12, 6.9, { status: 'running', final: false, duration_s: 134, ...more });
export const tick = (fields = {}) =>
  message('tick', { totals: totals(), running: [running()], samples: [], ...fields });
export const record = (of, fields = {}) => message('record', { cell: of, totals: totals(), ...fields });
const CELLS = [
  cell(9, 18),
  cell(7, 4.6),
  cell(10, 1.2),
  cell(5, 0.42),
  cell(1, 0.11),
  cell(2, 0.1),
  cell(3, 0.09),
  cell(4, 0.08),
  cell(6, 0.05),
  cell(8, 0.03, { status: 'error' }),
  cell(11, 0.02),
];
const sum = (cells) => cells.reduce((joules, one) => joules + (one.energy_j?.[1] ?? 0), 0);
export const history = (cells, fields = {}) =>
  message('history', { cells, count: cells.length, cells_energy_j: sum(cells), samples: samples(), ...fields });

const after = (...messages) =>
  messages.reduce((state, one) => reduce(state, one, NOON * 1000), changed(empty(), { notebook: 'train.ipynb' }));
const many = (count) =>
  Array.from({ length: count }, (_, index) => cell(index + 1, 0.001 * ((index * 7919) % count) + 0.001));

const unknownTotals = totals(3.9, {
  between_j: about(2 * WH),
  energy_j: [1.5 * WH, 3.9 * WH, 7.2 * WH],
  emissions_g: [0.0562, 1.79, 5.86],
  emissions_known: false,
  power_w: 7.9,
  mean_power_w: 6.2,
  domains: {
    cpu: { energy_j: about(2.7 * WH), power_w: 5.5, provenance: 'modelled', origin: 'modelled' },
    dram: { energy_j: about(1.2 * WH), power_w: 2.4, provenance: 'modelled', origin: 'modelled' },
  },
  measured_part: 0,
  equivalent: null,
});
const modelledCell = (count, wh, more = {}) =>
  cell(count, wh, {
    provenance: 'modelled',
    region_known: false,
    domains: { cpu: wh * WH * 0.7, dram: wh * WH * 0.3 },
    ...more,
  });

/** @type {Record<string, () => import('/browser/types.js').State>} */
export const FIXTURES = {
  example: () => after(opening(), history(CELLS), tick({ samples: [] })),
  none: () => empty(),
  language: () => changed(empty(), { face: 'language', notebook: 'analysis.ipynb', detail: 'R' }),
  off: () => changed(empty(), { face: 'off', notebook: 'train.ipynb' }),
  looking: () => changed(empty(), { face: 'looking', notebook: 'train.ipynb' }),
  starting: () => changed(empty(), { face: 'starting', notebook: 'train.ipynb' }),
  refused: () =>
    changed(empty(), { face: 'refused', notebook: 'train.ipynb', detail: 'the folder for records is read-only' }),
  missing: () => changed(empty(), { face: 'missing', notebook: 'train.ipynb' }),
  ended: () => changed(FIXTURES.example(), { face: 'ended', detail: '14:49', running: [] }),
  dead: () => changed(FIXTURES.example(), { face: 'dead', detail: '14:49', running: [] }),
  lost: () => changed(FIXTURES.example(), { face: 'lost', detail: '14:49:02' }),
  versions: () => after(opening({ protocol: 2 }), tick()),
  paused: () => changed(FIXTURES.example(), { paused: true, running: [] }),
  partial: () => changed(after(tick()), { region: FIXTURES.example().region, started_at: NOON }),
  problem: () =>
    after(opening({ problems: ['The ledger cannot be written: no space left on device.'] }), history(CELLS), tick()),
  first: () => after(opening()),
  oneCell: () => after(opening(), record(cell(1, 0.42), { totals: totals(0.5, { between_j: about(0.08 * WH) }) })),
  unknown: () =>
    changed(
      after(
        opening({ region: UNKNOWN, sources: MODELLED }),
        history(
          [
            modelledCell(5, 1.1),
            modelledCell(3, 0.52),
            modelledCell(1, 0.05),
            modelledCell(2, 0.02),
            modelledCell(4, 0.01),
          ],
          {
            samples: samples().map(([time, cpu, , dram]) => [time, cpu && cpu / 9, null, dram && dram / 2]),
          },
        ),
        tick({ totals: unknownTotals, running: [modelledCell(6, 0.2, { status: 'running', duration_s: 96 })] }),
      ),
      { notebook: 'sentiment.ipynb' },
    ),
  many: () => after(opening(), history(many(500)), tick({ totals: totals(500, { between_j: about(100 * WH) }) })),
  thousands: () =>
    after(opening(), history(many(5000)), tick({ totals: totals(15000, { between_j: about(100 * WH) }) })),
  day: () =>
    after(
      opening(),
      history(CELLS, { samples: samples(86_400) }),
      tick({
        totals: totals(1450, { duration_s: 86_400, now: NOON + 86_400 }),
        running: [running({ duration_s: 84_000 })],
      }),
    ),
  huge: () =>
    after(
      opening({ region: { ...FRANCE, intensity: [400, 1306, 1500] } }),
      history([cell(1234567, 4.2e6), cell(9, 1.2e9)]),
      tick({
        totals: totals(9.87e8, { power_w: 9.9e6, mean_power_w: 4.4e6, between_j: about(9.8e6 * WH) }),
        running: [running({ duration_s: 356_400, energy_j: about(1.2e8 * WH) })],
      }),
    ),
  tiny: () =>
    after(
      opening(),
      history([
        cell(1, 3e-4, { below_resolution: true, duration_s: 0.04 }),
        cell(2, 1e-9, { below_resolution: true, duration_s: 0.001 }),
      ]),
      tick({
        // The longest headline: 0.10 mg CO2e.
        totals: totals(4e-4, {
          emissions_g: about(1e-4, 0.77, 1.98),
          power_w: 0.04,
          mean_power_w: 0.0004,
          between_j: about(1e-5 * WH),
        }),
        running: [],
      }),
    ),
  hostile: () =>
    changed(
      after(
        opening({
          region: { ...FRANCE, name: HOSTILE, found: HOSTILE, id: 'XX' },
          sources: [{ domain: 'cpu', state: HOSTILE, provenance: 'modelled', words: HOSTILE }],
          problems: [HOSTILE],
          regions: [
            ownRow({
              id: 'XX',
              name: HOSTILE,
              kind: 'country',
              city: HOSTILE,
              low: 20,
              best: 30,
              high: 40,
              source: HOSTILE,
              method: HOSTILE,
              direct: 5,
              direct_source: HOSTILE,
              aliases: [HOSTILE],
            }),
          ],
        }),
        history([cell(1, 2, { label: HOSTILE }), cell(2, 1)]),
        tick({
          totals: totals(4, { equivalent: { text: HOSTILE, bounds: HOSTILE } }),
          running: [running({ label: HOSTILE })],
        }),
      ),
      { notebook: HOSTILE },
    ),
};
export const FACES = [
  'none',
  'language',
  'off',
  'looking',
  'starting',
  'refused',
  'missing',
  'dead',
  'ended',
  'lost',
  'versions',
];
export { CODE, HOSTILE };
