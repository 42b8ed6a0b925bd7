-- 0002_sweep - abort and retry reach a rollout's devices in batches; this is how far one has come.

ALTER TABLE rollout ADD COLUMN sweep INTEGER NOT NULL DEFAULT 0;       -- 0 none, 1 abort, 2 retry
ALTER TABLE rollout ADD COLUMN sweep_asked INTEGER NOT NULL DEFAULT 0; -- when
ALTER TABLE rollout ADD COLUMN sweep_state INTEGER NOT NULL DEFAULT 0; -- state of the rows looked at
ALTER TABLE rollout ADD COLUMN sweep_after INTEGER NOT NULL DEFAULT 0; -- device looked at last
