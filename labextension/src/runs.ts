/** What this page hears of a kernel's executions, whoever asked for them: their code, and whether one runs. */
import { KernelMessage } from '@jupyterlab/services';

const MOST_SOURCES = 2000;

export class Runs {
  /** The code of executions by their number. */
  readonly sources = new Map<number, string>();
  executing = false;

  /** Takes in a message; whether it says that a run begins or ends. */
  hear(message: KernelMessage.IIOPubMessage): boolean {
    const { msg_type: type } = message.header;
    const parent = message.parent_header as { msg_type?: string };
    if (type === 'execute_input') {
      const { code, execution_count: count } = message.content as { code: string; execution_count: number };
      this.sources.set(count, code);
      if (this.sources.size > MOST_SOURCES) this.sources.delete(this.sources.keys().next().value as number);
      this.executing = true;
      return true;
    }
    if (type !== 'status' || parent.msg_type !== 'execute_request' || !this.executing) return false;
    const { execution_state: state } = message.content as { execution_state: string };
    if (state !== 'idle') return false;
    this.executing = false;
    return true;
  }

  /** The kernel has ended. */
  forget(): void {
    this.executing = false;
    this.sources.clear();
  }
}
