/**
 * What is said to a kernel beside the comm's own messages: whether it has our comm, and that the extension be loaded.
 * All by ways that neither wait for the cell that runs, where there is one, nor leave a trace in the notebook.
 */
import { Kernel, KernelMessage } from '@jupyterlab/services';

export const TARGET = 'carbon_magic';

const LOAD = "get_ipython().extension_manager.load_extension('carbon_magic')";
/** Opens the comm again where another front end, which did not know it, has closed it. */
const REOPEN = "__import__('carbon_magic.extension', fromlist=['reopen_link']).reopen_link()";

export type Started = { kind: 'ok' } | { kind: 'missing' } | { kind: 'refused'; reason: string };

/** The ids of our comms in the kernel. On the control channel, since the shell's waits for the cell that runs. */
export async function findComms(kernel: Kernel.IKernelConnection): Promise<string[]> {
  const reply = await askForComms(kernel).done;
  const content = reply?.content as unknown as { comms?: Record<string, unknown> } | undefined;
  return Object.keys(content?.comms ?? {});
}

/**
 * A message for the comm, past the cell that runs. It rides on a request for comms: after any other message the kernel
 * says that it is idle, and the server, which may end idle kernels, believes it.
 */
export function sendOnControl(kernel: Kernel.IKernelConnection, commId: string, data: object): void {
  askForComms(kernel, { [TARGET]: { comm_id: commId, data } }).done.catch(() => {
    // The kernel went away before it answered: its status says what comes next.
  });
}

function askForComms(kernel: Kernel.IKernelConnection, rider: object = {}): Kernel.IControlFuture {
  const request = KernelMessage.createMessage({
    msgType: 'comm_info_request',
    channel: 'control',
    session: kernel.clientId,
    username: kernel.username,
    content: { target_name: TARGET, ...rider },
  } as never);
  return kernel.sendControlMessage(request as never, true, true);
}

/** Loads the extension, silently. Waits for the cell that runs. */
export async function load(kernel: Kernel.IKernelConnection): Promise<Started> {
  const reply = await evaluate(kernel, LOAD);
  if (reply.status !== 'ok') return refusal(reply);
  if (reply.text.includes('no load function'))
    return { kind: 'refused', reason: 'carbon_magic is another module there' };
  if (!reply.text.includes('already loaded')) return { kind: 'ok' };
  const again = await evaluate(kernel, REOPEN);
  return again.status === 'ok' ? { kind: 'ok' } : refusal(again);
}

interface Evaluated {
  status: string;
  text: string;
  ename: string;
  evalue: string;
}

function refusal(reply: Evaluated): Started {
  if (reply.ename === 'ModuleNotFoundError' && /carbon_magic/.test(reply.evalue)) return { kind: 'missing' };
  return { kind: 'refused', reason: reply.evalue || reply.ename || reply.status };
}

/** The value of an expression in the kernel, unseen: no history, no output, no events of cells. */
export async function evaluate(kernel: Kernel.IKernelConnection, expression: string): Promise<Evaluated> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    stop_on_error: false,
    user_expressions: { value: expression },
  });
  const reply = await future.done;
  const content = reply.content as unknown as {
    status: string;
    ename?: string;
    evalue?: string;
    user_expressions?: { value?: { status: string; data?: Record<string, string>; ename?: string; evalue?: string } };
  };
  const value = content.user_expressions?.value;
  return {
    status: content.status === 'ok' ? (value?.status ?? 'error') : content.status,
    text: String(value?.data?.['text/plain'] ?? ''),
    ename: String(value?.ename ?? content.ename ?? ''),
    evalue: String(value?.evalue ?? content.evalue ?? ''),
  };
}
