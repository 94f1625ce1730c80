interface Env {
  GREETING: string;
}

interface Context {
  /** Lets work go on after the response has been sent. */
  waitUntil(promise: Promise<unknown>): void;
}

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    const url = new URL(request.url);
    console.log(`${request.method} ${url.pathname}`);
    return new Response(`${env.GREETING} from {{name}}, ${url.pathname}\n`);
  },
};
