#include <alula.h>

void handle(alula_request *request, alula_response *response) {
  (void)request;
  alula_add_header(response, "content-type", "text/plain");
  alula_print(response, "Hello from C\n");
}
