import { page } from "./page";
import { render } from "./render";

interface Env {
  TITLE: string;
}

const HTML = { "content-type": "text/html; charset=utf-8" };

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (request.method === "GET") {
      return new Response(page(env.TITLE, form()), { headers: HTML });
    }
    const markdown = await request.text();
    if (markdown.trim() === "") {
      return Response.json({ error: "send Markdown as the request's body" }, { status: 400 });
    }
    const html = render(markdown);
    // `?page` gives a whole page instead of a fragment.
    const body = url.searchParams.has("page") ? page(env.TITLE, html) : html;
    return new Response(body, { headers: HTML });
  },
};

function form(): string {
  return `<textarea id="in" rows="12" cols="80"># Hello

*Markdown* in, **HTML** out.</textarea>
<article id="out"></article>
<script>
  const input = document.getElementById("in");
  async function show() {
    const answer = await fetch("/render", { method: "POST", body: input.value });
    document.getElementById("out").innerHTML = await answer.text();
  }
  input.addEventListener("input", show);
  show();
</script>`;
}
