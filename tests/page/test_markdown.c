#include "page/pages.h"
static int to_file(void *dir, const char *text, size_t bytes) {
    char p[400]; snprintf(p, 400, "%s/study.md", (char*)dir); FILE *f = fopen(p, "wb");
    fwrite(text, 1, bytes, f); return fclose(f);
}
static int html(void *dir, const char *text, size_t bytes) {
    char p[400]; snprintf(p, 400, "%s/study.html", (char*)dir); FILE *f = fopen(p, "ab");
    fwrite(text, 1, bytes, f); return fclose(f);
}
static int pic(void *dir, const char *name, const char *text, size_t bytes) {
    char p[400]; snprintf(p, 400, "%s/%s", (char*)dir, name); FILE *f = fopen(p, "wb");
    fwrite(text, 1, bytes, f); return fclose(f);
}
int main(int c, char **v) { fanin_ctx *ctx; fanin_page *page; (void)c;
    fanin_ctx_create(&ctx, NULL, NULL, 0);
    fanin_page_create(&page, ctx, "Initializers", "fanin study");
    add_everything(page);
    printf("%d\n", fanin_page_write_markdown(page, "study", to_file, pic, v[1]));
    printf("%d\n", fanin_page_write(page, html, v[1]));
    fanin_page_free(page); fanin_ctx_free(ctx); return 0; }
