import { Marked } from "marked";
import { escapeHtml } from "./page";

const SAFE_LINK = /^(https?:|mailto:|[/#?.]|[^:]*$)/i;

const marked = new Marked({
  gfm: true,
  renderer: {
    // What is written by anybody may be read by everybody: HTML in the text is shown, not obeyed.
    html: ({ text }) => escapeHtml(text),
  },
  walkTokens(token) {
    if ((token.type === "link" || token.type === "image") && !SAFE_LINK.test(token.href)) {
      token.href = "#";
    }
  },
});

/** Markdown as HTML that carries no scripts. */
export function render(markdown: string): string {
  return marked.parse(markdown, { async: false });
}
