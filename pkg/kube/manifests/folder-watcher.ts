import { watch } from 'node:fs';

/** Reports changes in a folder, and keeps one that came while there was no listener. */
export class FolderWatcher {
  #listener: (() => void) | undefined;
  #close: () => void = () => {};
  #hasChanged = false;

  constructor(
    folder: string,
    { concerns, onError }: { concerns: (name: string) => boolean; onError: (error: Error) => void },
  ) {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || concerns(name)) this.#changed();
      });
      watcher.on('error', onError);
      this.#close = () => watcher.close();
    } catch (error) {
      onError(error as Error);
    }
  }

  /** Sets the listener, and calls it at once if there was a change before. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
    if (listener === undefined || !this.#hasChanged) return;
    this.#hasChanged = false;
    listener();
  }

  close(): void {
    this.#close();
  }

  #changed(): void {
    if (this.#listener === undefined) this.#hasChanged = true;
    else this.#listener();
  }
}
