/* Models beyond one training: a curve, checkpoints, exports to memory, loading, training on, paths of a supernet. */
#include "support.h"

#define RECIPE(more) "{\"seed\": 4, \"calibration\": 64, " more "\"train\": {\"epochs\": 4, \"batch\": 16, \"lr\": 0.1, \"ema\": 0.9, \"clip\": 4}}"

static nse_status train(const char *options, const nse_events *events, const nse_model *init, const nse_dataset *held_out,
                        nse_model **model, nse_error **error) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = make_arch();
    nse_dataset *images = make_images(96);
    desc.arch = arch, desc.train = images, desc.options_json = options, desc.events = events, desc.init = init, desc.held_out = held_out;
    const nse_status status = nse_model_train(&desc, model, error);
    nse_arch_free(arch);
    nse_dataset_free(images);
    return status;
}

static nse_model *trained(const char *options) {
    nse_model *model = NULL;
    nse_error *error = NULL;
    if (train(options, NULL, NULL, NULL, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    return model;
}

static nse_buffer exported(const nse_model *model, const char *format) {
    nse_buffer bytes = NSE_BUFFER_INIT;
    assert_int_equal(nse_model_export_memory(model, format, &bytes, NULL), NSE_OK);
    return bytes;
}

/* Frees both. */
static int same(nse_buffer a, nse_buffer b) {
    const int equal = a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    nse_buffer_free(&a);
    nse_buffer_free(&b);
    return equal;
}

static int evaluations, steps, stop_after;

static int32_t count(void *user, const nse_event *event) {
    (void)user;
    evaluations += event->kind == NSE_EVENT_EVALUATE;
    steps += event->kind == NSE_EVENT_TRAIN;
    return stop_after > 0 && steps >= stop_after;
}

/* Told at once, so that nothing is done after the event that stops it. */
static const nse_events counting = {sizeof counting, NSE_EVENTS_DIRECT, count, NULL, NULL};

static void curve(void **state) {
    (void)state;
    nse_dataset *held_out = make_images(30);
    nse_model *model = NULL;
    nse_arch *arch = NULL, *wanted = make_arch();
    nse_buffer text = NSE_BUFFER_INIT, other = NSE_BUFFER_INIT;
    evaluations = stop_after = 0;
    assert_int_equal(train(RECIPE(""), &counting, NULL, held_out, &model, NULL), NSE_OK);
    assert_int_equal(evaluations, 4);
    assert_int_equal(nse_model_history(model, &text, NULL), NSE_OK);
    assert_non_null(strstr(text.data, "\"epoch\":4,"));
    assert_non_null(strstr(text.data, "\"held_out\":{\"accuracy\":"));
    assert_non_null(strstr(text.data, "\"ema\":{\"accuracy\":"));
    nse_buffer_free(&text);
    assert_int_equal(nse_model_describe(model, &text, NULL), NSE_OK);
    assert_non_null(strstr(text.data, "\"layout\":\"NCHW\""));
    assert_non_null(strstr(text.data, "\"normalisation\":{\"mean\":["));
    nse_buffer_free(&text);
    assert_int_equal(nse_model_arch(model, &arch, NULL), NSE_OK);
    assert_int_equal(nse_arch_to_json(arch, &text, NULL), NSE_OK);
    assert_int_equal(nse_arch_to_json(wanted, &other, NULL), NSE_OK);
    assert_true(same(text, other));
    assert_int_equal(nse_model_export_schema(&text, NULL), NSE_OK);
    assert_non_null(strstr(text.data, "\"normalise\""));
    nse_buffer_free(&text);
    nse_arch_free(arch), nse_arch_free(wanted);
    nse_model_free(model);
    nse_dataset_free(held_out);
}

static char *file_content(const char *path, size_t *len) {
    char *content = malloc(1 << 20);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *len = fread(content, 1, 1 << 20, file);
    fclose(file);
    return content;
}

static void back_again(void **state) {
    (void)state;
    nse_model *model = trained(RECIPE("\"variant\": {\"squeeze_excitation\": true, \"activation\": \"swish\"}, ")), *again = NULL;
    nse_dataset *images = make_images(60);
    nse_error *error = NULL;
    char path[] = "/tmp/nse-model-XXXXXX";
    close(mkstemp(path));
    double loss[2], accuracy[2];
    static const char *const formats[] = {"safetensors", "onnx", "torchscript", "{\"format\": \"onnx\", \"fold\": true, \"normalise\": true}"};
    for (int i = 3; i >= 0; --i) {
        size_t len;
        nse_buffer bytes = exported(model, formats[i]);
        assert_int_equal(nse_model_export(model, formats[i], path, NULL), NSE_OK);
        char *content = file_content(path, &len);
        assert_true(len == bytes.len && memcmp(content, bytes.data, len) == 0);
        free(content);
        if (i > 0) {
            expect_error(nse_model_load(path, NULL, &again, &error), NSE_ERR_FORMAT, &error, "is not safetensors", path);
            expect_error(nse_model_load_memory((const uint8_t *)bytes.data, bytes.len, NULL, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error,
                         "is not safetensors", "\"data\"");
        }
        nse_buffer_free(&bytes);
    }
    assert_int_equal(nse_model_evaluate(model, images, &loss[0], &accuracy[0], NULL), NSE_OK);
    assert_int_equal(nse_model_load(path, "cpu", &again, NULL), NSE_OK);
    assert_int_equal(nse_model_evaluate(again, images, &loss[1], &accuracy[1], NULL), NSE_OK);
    assert_true(loss[0] == loss[1] && accuracy[0] == accuracy[1]);
    assert_true(same(exported(model, "onnx"), exported(again, "onnx")));
    nse_model_free(again);

    nse_buffer bytes = exported(model, "safetensors");
    assert_int_equal(nse_model_load_memory((const uint8_t *)bytes.data, bytes.len, NULL, &again, NULL), NSE_OK);
    assert_true(same(exported(model, "safetensors"), exported(again, "safetensors")));
    nse_model_free(again);
    bytes.data[bytes.len - 5] ^= 4;
    expect_error(nse_model_load_memory((const uint8_t *)bytes.data, bytes.len, NULL, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error, "damaged",
                 "\"data\"");
    assert_null(again);
    expect_error(nse_model_load_memory((const uint8_t *)bytes.data, bytes.len - 1, NULL, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error,
                 "is not safetensors", "\"data\"");
    expect_error(nse_model_load_memory(NULL, 8, NULL, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL", "\"data\"");
    expect_error(nse_model_load("/nowhere/model", NULL, &again, &error), NSE_ERR_IO, &error, "/nowhere/model", "/nowhere/model");
    expect_error(nse_model_load(path, "abacus", &again, &error), NSE_ERR_DEVICE, &error, "abacus", "abacus");
    expect_error(nse_model_export(model, "onyx", path, &error), NSE_ERR_INVALID_ARGUMENT, &error, "onyx", "\"format\"");
    expect_error(nse_model_export(model, "{\"format\": \"onnx\", \"folded\": true}", path, &error), NSE_ERR_CONFIG, &error, "folded", "\"/folded\"");
    expect_error(nse_model_export_memory(model, "{\"format\": \"safetensors\", \"fold\": true}", &bytes, &error), NSE_ERR_CONFIG, &error,
                 "as it is", "\"/fold\"");
    nse_buffer_free(&bytes);
    unlink(path);
    nse_dataset_free(images);
    nse_model_free(model);
}

static void goes_on(void **state) {
    (void)state;
    char folder[] = "/tmp/nse-model-XXXXXX", options[512], path[64];
    nse_model *model = NULL, *alone = trained(RECIPE(""));
    nse_error *error = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/training", folder);
    snprintf(options, sizeof options, RECIPE("\"checkpoint\": {\"path\": \"%s\", \"resume\": true}, "), path);
    steps = 0, stop_after = 9;
    assert_int_equal(train(options, &counting, NULL, NULL, &model, NULL), NSE_ERR_CANCELLED);
    assert_null(model);
    steps = stop_after = 0;
    assert_int_equal(train(options, &counting, NULL, NULL, &model, NULL), NSE_OK);
    assert_int_equal(steps, 24 - 9);
    assert_true(same(exported(model, "safetensors"), exported(alone, "safetensors")));
    nse_model_free(model);
    char other[512];
    snprintf(other, sizeof other, "{\"seed\": 5, \"checkpoint\": {\"path\": \"%s\", \"resume\": true}}", path);
    expect_error(train(other, NULL, NULL, NULL, &model, &error), NSE_ERR_CONFIG, &error, "but the training in the checkpoint has", "\"pointer\"");
    FILE *file = fopen(path, "wb");
    fputs("no checkpoint", file);
    fclose(file);
    expect_error(train(options, NULL, NULL, NULL, &model, &error), NSE_ERR_FORMAT, &error, "not a checkpoint", path);
    unlink(path);
    rmdir(folder);
    expect_error(train(options, NULL, NULL, NULL, &model, &error), NSE_ERR_IO, &error, folder, folder);
    nse_model_free(alone);
}

static void begins_with_another(void **state) {
    (void)state;
    static const char *const briefly = "{\"train\": {\"epochs\": 1, \"batch\": 16, \"lr\": 0.001}}";
    nse_model *first = trained(RECIPE("")), *tuned = NULL;
    nse_dataset *images = make_images(96);
    nse_error *error = NULL;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    double before, after;
    desc.train = images, desc.init = first, desc.options_json = briefly; /* its own architecture */
    assert_int_equal(nse_model_train(&desc, &tuned, NULL), NSE_OK);
    nse_model *fresh = trained(briefly);
    assert_int_equal(nse_model_evaluate(fresh, images, &before, NULL, NULL), NSE_OK);
    assert_int_equal(nse_model_evaluate(tuned, images, &after, NULL, NULL), NSE_OK);
    assert_true(after < before);
    nse_model_free(tuned), nse_model_free(fresh);

    nse_space *space = make_space();
    nse_arch *other = NULL;
    assert_int_equal(nse_arch_uniform(space, "rec_k5_t1", &other, NULL), NSE_OK);
    desc.arch = other;
    expect_error(nse_model_train(&desc, &tuned, &error), NSE_ERR_INVALID_ARGUMENT, &error, "another architecture", "\"init\"");
    desc.init = NULL, desc.arch = NULL;
    expect_error(nse_model_train(&desc, &tuned, &error), NSE_ERR_INVALID_HANDLE, &error, "desc.arch", "\"desc.arch\"");
    nse_arch_free(other);
    nse_space_free(space);

    nse_search *search = make_search(SEARCH_JSON, NULL);
    nse_arch *best = NULL, *foreign = make_arch();
    nse_model *path = NULL;
    expect_error(nse_model_from_search(search, foreign, &path, &error), NSE_ERR_NOT_FOUND, &error, "no round was begun", "{");
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(nse_search_best(search, 90000, &best, NULL, NULL), NSE_OK);
    assert_int_equal(nse_model_from_search(search, best, &path, NULL), NSE_OK);
    desc.arch = best, desc.init = path;
    assert_int_equal(nse_model_train(&desc, &tuned, NULL), NSE_OK);
    nse_model_free(tuned);
    nse_buffer bytes = exported(path, "safetensors");
    assert_true(bytes.len > 1000);
    nse_buffer_free(&bytes);
    nse_arch *elsewhere = NULL;
    assert_int_equal(nse_arch_preset("nsenet-27", NULL, &elsewhere, NULL), NSE_OK);
    nse_model *none = NULL;
    expect_error(nse_model_from_search(search, elsewhere, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "not that of the search", "\"arch\"");
    nse_arch_free(best), nse_arch_free(foreign), nse_arch_free(elsewhere);
    nse_model_free(path), nse_model_free(first);
    nse_search_free(search);
    nse_dataset_free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curve),
        cmocka_unit_test(back_again),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(begins_with_another),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
