/* The imports of `wasi:http` 0.2.0 and `wasi:io` 0.2.0 that the kit calls, as the canonical ABI of
 * the WebAssembly component model (https://github.com/WebAssembly/component-model, CanonicalABI.md)
 * lowers the types in `kits/wit`. Handles are numbers; `out` points to where a result is written.
 */
#ifndef ALULA_WASI_HTTP_H
#define ALULA_WASI_HTTP_H

#include <stdint.h>

#define FROM(module, name) __attribute__((import_module(module), import_name(name)))
#define HTTP(name) FROM("wasi:http/types@0.2.0", name)
#define STREAMS(name) FROM("wasi:io/streams@0.2.0", name)
#define POLL(name) FROM("wasi:io/poll@0.2.0", name)

typedef int32_t handle_t;

typedef struct {
  uint8_t *data;
  uint32_t size;
} wire_bytes;

typedef struct {
  wire_bytes name;
  wire_bytes value;
} wire_field;

typedef struct {
  wire_field *fields;
  uint32_t count;
} wire_fields;

/* result<handle, …> without a payload of interest when it failed */
typedef struct {
  uint8_t failed;
  handle_t handle;
} wire_handle;

/* option<string> */
typedef struct {
  uint8_t present;
  wire_bytes text;
} wire_option_text;

/* method: below 9 it is one of the names of the specification, 9 is any other */
typedef struct {
  uint8_t kind;
  wire_bytes other;
} wire_method;

/* stream-error: kind 0 comes with an error's handle, 1 is the end */
typedef struct {
  uint8_t kind;
  handle_t error;
} wire_stream_error;

/* result<list<u8>, stream-error> */
typedef struct {
  uint8_t failed;
  union {
    wire_bytes bytes;
    wire_stream_error error;
  };
} wire_read;

/* result<_, stream-error> */
typedef struct {
  uint8_t failed;
  wire_stream_error error;
} wire_written;

/* result<u64, stream-error> */
typedef struct {
  uint8_t failed;
  union {
    uint64_t room;
    wire_stream_error error;
  };
} wire_room;

/* result<_, error-code>: 40 bytes, of which only the first is looked at */
typedef struct {
  uint8_t failed;
  uint64_t rest[4];
} wire_finished;

HTTP("[method]incoming-request.method") void request_method(handle_t self, wire_method *out);
HTTP("[method]incoming-request.path-with-query")
void request_path(handle_t self, wire_option_text *out);
HTTP("[method]incoming-request.headers") handle_t request_headers(handle_t self);
HTTP("[method]incoming-request.consume") void request_consume(handle_t self, wire_handle *out);
HTTP("[resource-drop]incoming-request") void drop_request(handle_t self);

HTTP("[method]incoming-body.stream") void body_stream(handle_t self, wire_handle *out);
HTTP("[resource-drop]incoming-body") void drop_incoming_body(handle_t self);

HTTP("[static]fields.from-list")
void fields_from_list(const wire_field *fields, uint32_t count, wire_handle *out);
HTTP("[method]fields.entries") void fields_entries(handle_t self, wire_fields *out);
HTTP("[resource-drop]fields") void drop_fields(handle_t self);

HTTP("[constructor]outgoing-response") handle_t response_new(handle_t headers);
HTTP("[method]outgoing-response.set-status-code")
int32_t response_status(handle_t self, int32_t code);
HTTP("[method]outgoing-response.body") void response_body(handle_t self, wire_handle *out);
HTTP("[method]outgoing-body.write") void body_write(handle_t self, wire_handle *out);
HTTP("[static]outgoing-body.finish")
void body_finish(handle_t self, int32_t has_trailers, handle_t trailers, wire_finished *out);
HTTP("[resource-drop]outgoing-body") void drop_outgoing_body(handle_t self);

/* response-outparam.set(param, result<outgoing-response, error-code>): with `failed` 0 the
 * response's handle follows and the rest is nothing; with 1 an error-code, flattened. */
HTTP("[static]response-outparam.set")
void outparam_set(handle_t self, int32_t failed, int32_t a, int32_t b, int64_t c, int32_t d,
                  int32_t e, int32_t f, int32_t g);

STREAMS("[method]input-stream.blocking-read")
void stream_read(handle_t self, int64_t size, wire_read *out);
STREAMS("[resource-drop]input-stream") void drop_input(handle_t self);
STREAMS("[method]output-stream.check-write") void stream_room(handle_t self, wire_room *out);
STREAMS("[method]output-stream.write")
void stream_write(handle_t self, const uint8_t *data, uint32_t size, wire_written *out);
STREAMS("[method]output-stream.subscribe") handle_t stream_subscribe(handle_t self);
STREAMS("[resource-drop]output-stream") void drop_output(handle_t self);
FROM("wasi:io/error@0.2.0", "[resource-drop]error") void drop_error(handle_t self);

POLL("[method]pollable.block") void pollable_block(handle_t self);
POLL("[resource-drop]pollable") void drop_pollable(handle_t self);

#endif
