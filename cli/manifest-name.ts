// What a manifest is called on the command line. Apart from manifest-file.ts, which loads a YAML parser.

export interface ManifestFile {
  /** As the user named it; `-` is standard input. Goes in front of every position. */
  readonly file: string;
  readonly text: string;
}

/** What an application may be called (protocol.md 5.1); anything else on the command line is a file. */
export const appNamePattern = /^[-\w]+$/;
