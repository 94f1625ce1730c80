// Runs one of the scripts in `../api` and answers with the lines it prints: GET /NAME?base=URL.
import clone from "../api/clone.js";
import console from "../api/console.js";
import crypto from "../api/crypto.js";
import encoding from "../api/encoding.js";
import events from "../api/events.js";
import fetch from "../api/fetch.js";
import forms from "../api/forms.js";
import headers from "../api/headers.js";
import messages from "../api/messages.js";
import streams from "../api/streams.js";
import url from "../api/url.js";

const SCRIPTS = { clone, console, crypto, encoding, events, fetch, forms, headers, messages, streams, url };

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const script = SCRIPTS[pathname.split("/").pop()];
    if (!script) return Response.json(Object.keys(SCRIPTS));
    let text = "";
    const print = (...values) => {
      text += `${values.join(" ")}\n`;
    };
    try {
      await script(print, searchParams.get("base"));
    } catch (error) {
      print("FAILED", error?.name, error?.message, error?.stack);
    }
    return new Response(text);
  },
};
