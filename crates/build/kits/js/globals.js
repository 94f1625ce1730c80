// Puts the web's interfaces where programs look for them.
import * as blob from "./blob.js";
import { structuredClone } from "./clone.js";
import { console } from "./console.js";
import { CryptoKey, crypto, mathRandom } from "./crypto.js";
import { TextDecoder, TextEncoder } from "./encoding.js";
import * as events from "./events.js";
import { Headers } from "./headers.js";
import * as readable from "./readable.js";
import * as timers from "./timers.js";
import { URL, URLSearchParams } from "./url.js";
import * as writable from "./writable.js";
// Last, next to the handler: what each request touches lies together in memory, and each page touched is copied.
import { Request, Response, fetch } from "./fetch.js";

const GLOBALS = {
  AbortController: events.AbortController,
  AbortSignal: events.AbortSignal,
  Blob: blob.Blob,
  ByteLengthQueuingStrategy: readable.ByteLengthQueuingStrategy,
  CountQueuingStrategy: readable.CountQueuingStrategy,
  CryptoKey,
  CustomEvent: events.CustomEvent,
  Event: events.Event,
  EventTarget: events.EventTarget,
  File: blob.File,
  FormData: blob.FormData,
  Headers,
  ReadableByteStreamController: readable.ReadableByteStreamController,
  ReadableStream: readable.ReadableStream,
  ReadableStreamBYOBReader: readable.ReadableStreamBYOBReader,
  ReadableStreamDefaultController: readable.ReadableStreamDefaultController,
  ReadableStreamDefaultReader: readable.ReadableStreamDefaultReader,
  Request,
  Response,
  TextDecoder,
  TextDecoderStream: writable.TextDecoderStream,
  TextEncoder,
  TextEncoderStream: writable.TextEncoderStream,
  TransformStream: writable.TransformStream,
  TransformStreamDefaultController: writable.TransformStreamDefaultController,
  URL,
  URLSearchParams,
  WritableStream: writable.WritableStream,
  WritableStreamDefaultController: writable.WritableStreamDefaultController,
  WritableStreamDefaultWriter: writable.WritableStreamDefaultWriter,
  clearInterval: timers.clearTimeout,
  clearTimeout: timers.clearTimeout,
  console,
  crypto,
  fetch,
  performance: timers.performance,
  setInterval: timers.setInterval,
  setTimeout: timers.setTimeout,
  structuredClone,
};

for (const [name, value] of Object.entries(GLOBALS)) {
  Object.defineProperty(globalThis, name, {
    value, configurable: true, writable: true, enumerable: false,
  });
}
globalThis.self = globalThis;
Math.random = mathRandom;
