/* executor.c - see executor.h. */
#include "server/http/executor.h"

/* Lives in the request's arena: it belongs to the job until http_job_finish(). */
struct queued {
    struct http_job job;
    const struct env *env;
};

static enum moult_status run(struct store_db *db, void *context)
{
    struct queued *queued = context;
    struct env env = *queued->env;
    env.db = db;
    http_job_run(&queued->job, &env);
    /* A handler that met a bug must leave nothing behind; a refusal leaves its audit entry.
     */
    return queued->job.reply->status >= 500 ? MOULT_E_INTERNAL : MOULT_OK;
}

static void done(void *context, enum moult_status status)
{
    struct queued *queued = context;
    bool answered = queued->job.reply->status >= 500;
    http_job_finish(&queued->job, answered ? MOULT_OK : status);
}

static enum moult_status submit(const struct env *env, const struct http_job *job,
                                enum moult_status (*hand_over)(struct store *,
                                                               const struct store_job *))
{
    struct queued *queued = arena_alloc(job->request->arena, sizeof *queued);
    if (!queued) { return MOULT_E_BUSY; }
    *queued = (struct queued){.job = *job, .env = env};
    struct store_job wanted = {.kind = "api", .run = run, .done = done, .context = queued};
    return hand_over(env->store, &wanted);
}

static enum moult_status submit_write(void *context, const struct http_job *job)
{
    return submit(context, job, store_write);
}

static enum moult_status submit_read(void *context, const struct http_job *job)
{
    return submit(context, job, store_read);
}

struct http_executor http_writers(const struct env *env)
{
    return (struct http_executor){.submit = submit_write,
                                  .context = (void *)(uintptr_t)env};
}

struct http_executor http_readers(const struct env *env)
{
    return (struct http_executor){.submit = submit_read, .context = (void *)(uintptr_t)env};
}
