/** Values that were checked and made, and are not in place yet: what remains cannot fail. */
export interface Replacement {
  /** Puts them in place. */
  commit(): void;
  /** Frees them instead. */
  dispose(): void;
}

/** Both at once. */
export function together(parts: readonly Replacement[]): Replacement {
  return {
    commit: () => {
      for (const part of parts) part.commit();
    },
    dispose: () => {
      for (const part of parts) part.dispose();
    },
  };
}
