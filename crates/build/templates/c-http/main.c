/* Called for each HTTP request. */
#include <alula.h>

#include <stdlib.h>
#include <string.h>

static void echo(alula_request *request, alula_response *response) {
  char buffer[16384];
  long size;
  while ((size = alula_read(request, buffer, sizeof buffer)) > 0) {
    if (alula_write(response, buffer, (size_t)size) < 0) return;
  }
}

void handle(alula_request *request, alula_response *response) {
  alula_add_header(response, "content-type", "text/plain");
  if (strcmp(alula_method(request), "POST") == 0) {
    echo(request, response);
    return;
  }
  const char *greeting = getenv("GREETING");
  alula_print(response, "%s, %s!\n", greeting ? greeting : "Hello", alula_path(request));
}
