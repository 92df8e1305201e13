/**
 * Which figure stands under which cell. A record belongs to a cell by its id, and holds as long as the cell shows the
 * same execution: cleared outputs, a copy and the other half of a split cell have no figure. Pure.
 */
import type { Cell } from './generated/types';
import { digest, Ran } from './ran.js';

/** What is known of one execution. */
export interface Execution {
  cell: Cell;
  session: string;
  /** The code that ran, where this page saw it. */
  source: string | null;
}

/** A cell of a notebook as it stands. */
export interface Standing {
  id: string;
  executionCount: number | null;
  source: string;
}

export interface Placed {
  execution: Execution;
  edited: boolean;
}

/** The execution whose figure the cell shows, or null. */
export function placed(standing: Standing, execution: Execution | undefined, ran?: Ran): Placed | null {
  if (!execution || execution.cell.cell_id !== standing.id) return null;
  const running = execution.cell.status === 'running';
  if (!running && execution.cell.execution_count !== standing.executionCount) return null;
  return { execution, edited: !running && isEdited(standing, execution.source, ran) };
}

/** Where the code that ran was not seen by this page, the digest that one before it has kept tells. */
function isEdited(standing: Standing, source: string | null, ran: Ran | undefined): boolean {
  if (source !== null) return source !== standing.source;
  return ran !== undefined && ran.count === standing.executionCount && ran.code !== digest(standing.source);
}

/** Whether what the cell shows is known to have run while tracking was off. */
export function untracked(standing: Standing, ran: Ran | undefined): boolean {
  return ran?.tracked === false && ran.count === standing.executionCount;
}

/** What goes into a notebook's metadata where the setting says so. */
export interface Kept {
  cell_id: string;
  execution_count: number | null;
  energy_j: [number, number, number] | null;
  emissions_g: [number, number, number] | null;
  region_known: boolean;
  duration_s: number;
  status: string;
  provenance: string | null;
  below_resolution: boolean;
}

export function kept(cell: Cell): Kept {
  return {
    cell_id: cell.cell_id ?? '',
    execution_count: cell.execution_count,
    energy_j: cell.energy_j,
    emissions_g: cell.emissions_g,
    region_known: cell.region_known,
    duration_s: cell.duration_s,
    status: cell.status,
    provenance: cell.provenance,
    below_resolution: cell.below_resolution,
  };
}
