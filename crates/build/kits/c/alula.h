/* What an HTTP function in C is written with.
 *
 *     #include <alula.h>
 *
 *     void handle(alula_request *request, alula_response *response) {
 *         alula_print(response, "hello from %s\n", alula_path(request));
 *     }
 *
 * `handle` is called once for each request. Text that is returned lives until `handle` returns. The
 * variables that the manifest sets are read with `getenv`.
 */
#ifndef ALULA_H
#define ALULA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct alula_request alula_request;
typedef struct alula_response alula_response;

/* Written by you. When it returns, the response is complete. */
void handle(alula_request *request, alula_response *response);

/* The method in capitals: "GET", "POST" and so on. */
const char *alula_method(alula_request *request);

/* The path, undecoded, without the query: "/" at least. */
const char *alula_path(alula_request *request);

/* What stands behind the "?", undecoded; "" when there is none. */
const char *alula_query(alula_request *request);

/* The first value of a header field, whatever the case of its name; NULL when there is none. */
const char *alula_header(alula_request *request, const char *name);

/* Reads up to `size` bytes of the body as they arrive. 0 means its end, -1 that it broke off. */
long alula_read(alula_request *request, void *buffer, size_t size);

/* Sets the status, 200 unless set. -1 when the head has been sent already or the number is none. */
int alula_status(alula_response *response, int status);

/* Adds a header field. -1 when the head has been sent already. */
int alula_add_header(alula_response *response, const char *name, const char *value);

/* Writes to the body. Up to 8 KiB are kept back, so that a short response leaves in one piece.
 * -1 when the client is gone. */
int alula_write(alula_response *response, const void *data, size_t size);

/* Sends what has been written so far, for responses that trickle. -1 when the client is gone. */
int alula_flush(alula_response *response);

/* Writes text as `printf` does. */
int alula_print(alula_response *response, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
