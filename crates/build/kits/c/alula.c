/* The kit between `wasi:http/incoming-handler` and the author's `handle`. */
#include "alula.h"
#include "wasi_http.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* error-code: the case `internal-error(option<string>)` is the 39th. */
#define INTERNAL_ERROR 38

#define MAX_ADDED_HEADERS 128

#define KEPT_BACK 8192

struct alula_request {
  handle_t handle;
  handle_t body, stream; /* 0 until the body is read */
  bool ended, broken;
  char *method, *path, *query;
  wire_fields fields;
  bool has_fields;
};

struct alula_response {
  handle_t outparam;
  handle_t body, stream; /* 0 until the head is sent */
  int status;
  bool sent, gone;
  wire_field added[MAX_ADDED_HEADERS];
  uint32_t count;
  uint32_t kept; /* bytes of the body that wait to be sent */
  uint8_t buffer[KEPT_BACK];
};

/* How the host puts strings and lists into our memory. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t new_size) {
  (void)old_size;
  if (new_size == 0) return (void *)align;
  void *place = realloc(old, new_size);
  if (place == NULL) abort();
  return place;
}

static void release(void *place, size_t size) {
  if (size > 0) free(place);
}

static char *text_of(wire_bytes bytes) {
  char *text = malloc(bytes.size + 1);
  if (text == NULL) abort();
  if (bytes.size > 0) memcpy(text, bytes.data, bytes.size);
  text[bytes.size] = '\0';
  return text;
}

static wire_bytes bytes_of(const char *text) {
  wire_bytes bytes = {(uint8_t *)strdup(text), strlen(text)};
  if (bytes.data == NULL) abort();
  return bytes;
}

/* --- the request --- */

const char *alula_method(alula_request *request) {
  static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  if (request->method == NULL) {
    wire_method method;
    request_method(request->handle, &method);
    if (method.kind < sizeof known / sizeof *known) return known[method.kind];
    request->method = text_of(method.other);
    release(method.other.data, method.other.size);
  }
  return request->method;
}

static void split_target(alula_request *request) {
  wire_option_text target;
  request_path(request->handle, &target);
  bool empty = !target.present || target.text.size == 0;
  request->path = empty ? strdup("/") : text_of(target.text);
  if (request->path == NULL) abort();
  if (target.present) release(target.text.data, target.text.size);
  char *mark = strchr(request->path, '?');
  if (mark != NULL) *mark = '\0';
  request->query = mark == NULL ? request->path + strlen(request->path) : mark + 1;
}

const char *alula_path(alula_request *request) {
  if (request->path == NULL) split_target(request);
  return request->path;
}

const char *alula_query(alula_request *request) {
  if (request->path == NULL) split_target(request);
  return request->query;
}

/* Makes the values C strings where they lie: each in a piece of its own with room for the NUL. */
static void load_fields(alula_request *request) {
  handle_t headers = request_headers(request->handle);
  fields_entries(headers, &request->fields);
  drop_fields(headers);
  for (uint32_t i = 0; i < request->fields.count; i++) {
    wire_bytes *value = &request->fields.fields[i].value;
    char *text = text_of(*value);
    release(value->data, value->size);
    value->data = (uint8_t *)text;
  }
  request->has_fields = true;
}

const char *alula_header(alula_request *request, const char *name) {
  if (!request->has_fields) load_fields(request);
  size_t size = strlen(name);
  for (uint32_t i = 0; i < request->fields.count; i++) {
    const wire_field *field = &request->fields.fields[i];
    bool same = field->name.size == size &&
                strncasecmp((const char *)field->name.data, name, size) == 0;
    if (same) return (const char *)field->value.data;
  }
  return NULL;
}

static bool open_body(alula_request *request) {
  wire_handle body, stream;
  request_consume(request->handle, &body);
  if (body.failed) return false;
  request->body = body.handle;
  body_stream(body.handle, &stream);
  if (stream.failed) return false;
  request->stream = stream.handle;
  return true;
}

long alula_read(alula_request *request, void *buffer, size_t size) {
  if (request->broken) return -1;
  if (request->ended || size == 0) return 0;
  if (request->stream == 0 && !open_body(request)) {
    request->broken = true;
    return -1;
  }
  for (;;) {
    wire_read read;
    stream_read(request->stream, (int64_t)size, &read);
    if (read.failed) {
      request->ended = read.error.kind == 1;
      request->broken = !request->ended;
      if (request->broken) drop_error(read.error.error);
      return request->ended ? 0 : -1;
    }
    if (read.bytes.size == 0) continue;
    memcpy(buffer, read.bytes.data, read.bytes.size);
    release(read.bytes.data, read.bytes.size);
    return (long)read.bytes.size;
  }
}

static void end_request(alula_request *request) {
  if (request->stream != 0) drop_input(request->stream);
  if (request->body != 0) drop_incoming_body(request->body);
  drop_request(request->handle);
  for (uint32_t i = 0; i < request->fields.count; i++) {
    release(request->fields.fields[i].name.data, request->fields.fields[i].name.size);
    free(request->fields.fields[i].value.data);
  }
  release(request->fields.fields, request->fields.count);
  free(request->method);
  free(request->path);
}

/* --- the response --- */

int alula_status(alula_response *response, int status) {
  if (response->sent || status < 100 || status > 999) return -1;
  response->status = status;
  return 0;
}

int alula_add_header(alula_response *response, const char *name, const char *value) {
  if (response->sent || response->count == MAX_ADDED_HEADERS) return -1;
  response->added[response->count++] = (wire_field){bytes_of(name), bytes_of(value)};
  return 0;
}

static void fail(alula_response *response, const char *why) {
  fprintf(stderr, "alula: %s\n", why);
  outparam_set(response->outparam, 1, INTERNAL_ERROR, 0, 0, 0, 0, 0, 0);
  response->gone = true;
}

static bool open_response(alula_response *response, handle_t head) {
  wire_handle body, stream;
  response_body(head, &body);
  outparam_set(response->outparam, 0, head, 0, 0, 0, 0, 0, 0);
  if (body.failed) return false;
  response->body = body.handle;
  body_write(body.handle, &stream);
  if (stream.failed) return false;
  response->stream = stream.handle;
  return true;
}

static void send_head(alula_response *response) {
  response->sent = true;
  wire_handle fields;
  fields_from_list(response->added, response->count, &fields);
  for (uint32_t i = 0; i < response->count; i++) {
    free(response->added[i].name.data);
    free(response->added[i].value.data);
  }
  if (fields.failed) {
    fail(response, "the header fields are refused");
    return;
  }
  handle_t head = response_new(fields.handle);
  response_status(head, response->status);
  if (!open_response(response, head)) response->gone = true;
}

/* Waits until the client has room for more. */
static uint64_t room_for_more(alula_response *response) {
  for (;;) {
    wire_room room;
    stream_room(response->stream, &room);
    if (room.failed) {
      if (room.error.kind == 0) drop_error(room.error.error);
      response->gone = true;
      return 0;
    }
    if (room.room > 0) return room.room;
    handle_t pollable = stream_subscribe(response->stream);
    pollable_block(pollable);
    drop_pollable(pollable);
  }
}

static int push(alula_response *response, const uint8_t *next, size_t size) {
  while (size > 0 && !response->gone) {
    uint64_t room = room_for_more(response);
    if (room == 0) break;
    uint32_t piece = room < size ? (uint32_t)room : (uint32_t)size;
    wire_written written;
    stream_write(response->stream, next, piece, &written);
    if (written.failed) {
      if (written.error.kind == 0) drop_error(written.error.error);
      response->gone = true;
    }
    next += piece;
    size -= piece;
  }
  return response->gone ? -1 : 0;
}

int alula_flush(alula_response *response) {
  if (!response->sent) send_head(response);
  uint32_t size = response->kept;
  response->kept = 0;
  return push(response, response->buffer, size);
}

int alula_write(alula_response *response, const void *data, size_t size) {
  if (size > KEPT_BACK - response->kept && alula_flush(response) < 0) return -1;
  if (size > KEPT_BACK) return push(response, data, size);
  memcpy(response->buffer + response->kept, data, size);
  response->kept += size;
  return 0;
}

int alula_print(alula_response *response, const char *format, ...) {
  char short_text[512], *text = short_text;
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int size = vsnprintf(short_text, sizeof short_text, format, arguments);
  if (size >= (int)sizeof short_text) {
    text = malloc((size_t)size + 1);
    if (text == NULL) abort();
    vsnprintf(text, (size_t)size + 1, format, again);
  }
  va_end(arguments);
  va_end(again);
  int result = size < 0 ? -1 : alula_write(response, text, (size_t)size);
  if (text != short_text) free(text);
  return result;
}

/* A body that is whole says how long it is, unless the author has said so. */
static void add_length(alula_response *response) {
  static const char name[] = "content-length";
  if (response->status == 204 || response->status == 304) return;
  for (uint32_t i = 0; i < response->count; i++) {
    if (strcasecmp((const char *)response->added[i].name.data, name) == 0) return;
  }
  char length[16];
  snprintf(length, sizeof length, "%u", (unsigned)response->kept);
  alula_add_header(response, name, length);
}

static void end_response(alula_response *response) {
  if (!response->sent) add_length(response);
  alula_flush(response);
  if (response->stream != 0) drop_output(response->stream);
  if (response->body == 0) return;
  wire_finished finished;
  body_finish(response->body, 0, 0, &finished);
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.0#handle"))) void exported_handle(
    handle_t incoming, handle_t outparam) {
  alula_request request = {.handle = incoming};
  alula_response response = {.outparam = outparam, .status = 200};
  handle(&request, &response);
  end_response(&response);
  end_request(&request);
  fflush(stdout);
}
