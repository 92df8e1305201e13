/**
 * The page that the kernel, the browser's modules and the labextension are written against: what goes over the comm
 * `carbon_magic`, the state that the browser makes of it, and what a host gives a view. Energies are in joules, powers
 * in watts, emissions in grams of CO2e, intensities in g CO2e/kWh, times in seconds since 1970 (of the kernel's clock).
 * Unknown is null, never 0. Fields that are not known here are ignored; another PROTOCOL has a face of its own.
 */

/** Low, best, high. */
export type Range = [number, number, number];
export type Domain = 'cpu' | 'gpu' | 'dram';
export type Provenance = 'measured' | 'modelled' | 'assumed';

// From the kernel. `carbon_magic/comm/messages.py` is the same page in Python.

export interface Region {
  /** An id of the table of regions, or null where it is unknown. */
  id: string | null;
  name: string;
  /** `cell`, `user`, `config`, `environment`, `cloud-init`, `cloud`, `timezone`, … or `unknown`. */
  source: string;
  /** How it was found, for people: "From the time zone Europe/Paris". */
  found: string;
  /** Where it is unknown: the 5th and 95th percentile of countries around the world's mean. */
  intensity: Range;
  intensity_source: string;
  intensity_year: number | null;
  pue: number;
}

export interface DomainFigure {
  energy_j: Range;
  power_w: number | null;
  provenance: Provenance;
  /** The sensor's short name where measured ("RAPL", "NVML"), else the provenance. */
  origin: string;
  /** Whether its sensors count joules, so that nothing is lost between two readings; false where watts are read. */
  counts: boolean;
}

export interface Totals {
  now: number;
  duration_s: number;
  energy_j: Range | null;
  machine_energy_j: Range | null;
  between_j: Range | null;
  emissions_g: Range | null;
  /** False where any part was counted with the region unknown: then only the range is shown. */
  emissions_known: boolean;
  power_w: number | null;
  mean_power_w: number | null;
  domains: Partial<Record<Domain, DomainFigure>>;
  /** Part of the energy whose domain was measured, 0 to 1. */
  measured_part: number | null;
  /** One equivalent in words: "1.5 cups of water boiled" and "(1.1–2.2)". */
  equivalent: { text: string; bounds: string } | null;
}

export interface Cell {
  record_id: string;
  cell_id: string | null;
  execution_count: number | null;
  label: string | null;
  status: 'ok' | 'error' | 'interrupted' | 'killed' | 'running';
  final: boolean;
  concurrent: boolean;
  started_at: number;
  duration_s: number;
  energy_j: Range | null;
  emissions_g: Range | null;
  region_known: boolean;
  domains: Partial<Record<Domain, number>>;
  /** Its weakest. */
  provenance: Provenance | null;
  below_resolution: boolean;
  /** The first line of its code from the kernel's memory, told to widgets alone; null where it is not. */
  code: string | null;
}

/** Time, then watts of CPU, GPU and DRAM; null where not known. A row of nulls is a gap. */
export type Sample = [number, number | null, number | null, number | null];

/** A line of the section Sources. */
export interface Source {
  domain: Domain | 'grid';
  /** "Measured", "Modelled", "Assumed", "None found", "Unknown". */
  state: string;
  provenance: Provenance | null;
  words: string;
}

/** What the kernel says of its leases; `keep_live`: ticks go on for as long as somebody looks. */
export interface Terms {
  lease_s: number;
  quiet_s: number;
  keep_live: boolean;
}

export interface StateMessage {
  type: 'state';
  protocol: number;
  version: string;
  session_id: string;
  now: number;
  started_at: number;
  tracking: boolean;
  region: Region;
  sources: Source[];
  problems: string[];
  /** Rows that the user overrides or adds, in the form of regions.json. */
  regions: unknown[][];
  /** How long a lease lasts, and how long after the last cell ticks go on. */
  leases: Terms;
}
export interface TickMessage {
  type: 'tick';
  session_id: string;
  totals: Totals;
  running: Cell[];
  /** Those since the last message that had any. */
  samples: Sample[];
}
export interface RecordMessage {
  type: 'record';
  session_id: string;
  cell: Cell;
  /** Null where another record follows at once. */
  totals: Totals | null;
}
/** After `hello`: what there is so far; the cells are the dearest and the latest ones. */
export interface HistoryMessage {
  type: 'history';
  session_id: string;
  cells: Cell[];
  /** How many cells there are, and the energy of all of them. */
  count: number;
  cells_energy_j: number | null;
  samples: Sample[];
}
/** What was asked for cannot be done: a region that does not exist, for one. */
export interface RefusedMessage {
  type: 'refused';
  what: string;
  why: string;
}
/** The power chart's widget; without `carbon-magic[panel]` in the kernel the request is refused, `what` being `chart`. */
export interface ChartMessage {
  type: 'chart';
  model_id: string;
}
/** Over the comm's `data`; the opening data are a StateMessage. A new session_id begins anew. */
export type FromKernel = StateMessage | TickMessage | RecordMessage | HistoryMessage | RefusedMessage | ChartMessage;

// To the kernel. A lease lasts `lease_s`, and to the end of the cell that runs when it is over.

export type ToKernel =
  | { type: 'hello'; protocol: number; version: string }
  | { type: 'lease'; view: string }
  | { type: 'release'; view: string }
  | { type: 'region'; region: string | null }
  | { type: 'track'; on: boolean }
  /** The setting `keep_live`: figures go on while the kernel is idle, which is then not culled. */
  | { type: 'keep_live'; on: boolean }
  /** Asks for the power chart, a widget that the notebook's own renderer shows; answered once the kernel is free. */
  | { type: 'chart' };

// In the browser.

export type Face =
  | 'none'
  | 'language'
  | 'off'
  | 'looking'
  | 'starting'
  | 'refused'
  | 'missing'
  | 'tracking'
  | 'lost'
  | 'dead'
  | 'ended'
  | 'versions';

/** What the views draw: immutable, made by `reduce(state, message)` in store.js and by the host. */
export interface State {
  face: Face;
  /** The notebook's name, the kernel's language, a reason, a time, a protocol: whatever the face's words need. */
  notebook: string | null;
  detail: string | null;
  /** "Paused while the kernel is idle." */
  paused: boolean;
  /** Ticks came after a reload in mid-cell, and the history waits for the cell's end. */
  partial: boolean;
  /** When the last word came, on this browser's clock, in ms. */
  heard_at: number | null;
  version: string | null;
  session_id: string | null;
  started_at: number | null;
  region: Region | null;
  sources: Source[];
  problems: string[];
  totals: Totals | null;
  running: Cell[];
  /** By record id, in the order they came. */
  cells: ReadonlyMap<string, Cell>;
  count: number;
  cells_energy_j: number | null;
  /** Thinned: 1 s for an hour, 10 s beyond. */
  samples: readonly Sample[];
  regions: unknown[][];
  /** Null where the kernel does not tell. */
  terms: Terms | null;
}

/** regions.json: all regions in one place, made by `tools/build_browser_regions.py`. */
export interface RegionTable {
  edition: string;
  columns: string[];
  rows: unknown[][];
  sources: Record<string, string>;
  /** How a life-cycle figure was made, by the key in the column `method`. */
  methods?: Record<string, string>;
}

export interface Host {
  state(): State;
  /** Called back after each change; gives the function that ends it. */
  subscribe(listener: () => void): () => void;
  table: RegionTable;
  /** What a host cannot do is missing, and its control is then not shown. */
  act: {
    start?(): void;
    retry?(): void;
    alwaysStart?(): void;
    keepLive?(): void;
    setRegion?(id: string | null): void;
    reveal?(cell: Cell): void;
    restart?(): void;
    changeKernel?(): void;
    copy?(text: string): void;
    menu?(anchor: HTMLElement): void;
    popOut?(): void;
    doctor?(): void;
  };
  /** Translates an English sentence; `%1`, `%2` are filled in. */
  say(text: string, ...values: string[]): string;
  /** A BCP 47 tag for Intl; undefined takes the browser's. */
  locale?: string;
  /** What energy is written in; undefined is `auto`: watt-hours with a prefix that keeps the figure short. */
  unit?: 'auto' | 'Wh' | 'J';
  /** The first line of a cell's code, from the notebook's own model or the kernel's memory. */
  excerpt?(cell: Cell): string | null;
  /** What the user chose (sections open, regions compared, filters, sorting), kept by the host. */
  recall(key: string): unknown;
  remember(key: string, value: unknown): void;
}

/** Every view: draws itself into `root` and keeps itself up to date; gives the function that takes it away. */
export type Mount = (root: HTMLElement, host: Host) => () => void;
