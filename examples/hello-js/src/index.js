export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    return new Response(`${env.GREETING} from JavaScript, ${pathname}\n`);
  },
};
