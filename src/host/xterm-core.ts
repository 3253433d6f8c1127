import type { Terminal } from '@xterm/headless';

/**
 * The inside of xterm that has no public name but belongs to what a screen is. The version is pinned; the fuzz test that
 * compares folded screens with live ones notices when a new one differs.
 */
export interface XtermCore {
  writeSync(data: Uint8Array | string): void;
  readonly buffer: XtermBuffer;
  readonly buffers: XtermBuffers;
  readonly coreService: {
    isCursorInitialized: boolean;
    isCursorHidden: boolean;
    readonly modes: { insertMode: boolean };
    readonly decPrivateModes: XtermModes;
  };
  readonly coreMouseService: { activeProtocol: string; activeEncoding: string };
  readonly _charsetService: { glevel: number; _charsets: unknown[]; charset: Record<string, string> | undefined };
  readonly _oscLinkService: {
    readonly _dataByLinkId: Map<number, { readonly data: { readonly id?: string; readonly uri: string } }>;
    registerLink(data: { readonly id?: string; readonly uri: string }): number;
  };
  readonly _inputHandler: {
    _windowTitle: string;
    _iconName: string;
    _windowTitleStack: string[];
    _iconNameStack: string[];
    readonly _curAttrData: XtermAttributes;
    readonly _utf8Decoder: { readonly interim: Uint8Array };
    readonly _parser: { readonly currentState: number; precedingJoinState: number };
  };
}

export interface XtermModes {
  applicationCursorKeys: boolean;
  applicationKeypad: boolean;
  bracketedPasteMode: boolean;
  cursorBlink?: boolean;
  cursorStyle?: string;
  origin: boolean;
  reverseWraparound: boolean;
  sendFocus: boolean;
  synchronizedOutput: boolean;
  wraparound: boolean;
}

export interface XtermBuffers {
  readonly normal: XtermBuffer;
  readonly alt: XtermBuffer;
  readonly active: XtermBuffer;
  activateAltBuffer(): void;
  activateNormalBuffer(): void;
}

export interface XtermBuffer {
  x: number;
  y: number;
  ybase: number;
  ydisp: number;
  scrollTop: number;
  scrollBottom: number;
  savedX: number;
  savedY: number;
  tabs: Record<number, boolean>;
  savedCharset: unknown;
  readonly savedCurAttrData: XtermAttributes;
  readonly lines: { length: number; get(index: number): XtermLine | undefined };
  fillViewportRows(): void;
}

export interface XtermLine {
  isWrapped: boolean;
  readonly length: number;
  readonly _data: Uint32Array;
  _combined: Record<number, string>;
  _extendedAttrs: Record<number, XtermExtended | undefined>;
}

export interface XtermAttributes {
  fg: number;
  bg: number;
  extended: XtermExtended;
}

/** A cell of `IBufferLine.getCell` is one of these as well. */
export type XtermCell = XtermAttributes;

export interface XtermExtended {
  _ext: number;
  _urlId: number;
  clone(): XtermExtended;
}

export function coreOf(terminal: Terminal): XtermCore {
  return (terminal as unknown as { readonly _core: XtermCore })._core;
}
