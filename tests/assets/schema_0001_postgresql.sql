CREATE TABLE runner_schema (
	version_num VARCHAR(32) NOT NULL,
	PRIMARY KEY (version_num)
);

CREATE TABLE experiment (
	id BIGINT NOT NULL,
	name TEXT NOT NULL,
	digest VARCHAR(64) NOT NULL,
	description TEXT NOT NULL,
	source TEXT NOT NULL,
	created_at DOUBLE PRECISION NOT NULL,
	last_run_at DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (id)
);

CREATE UNIQUE INDEX experiment_by_name ON experiment (name, digest);

COMMENT ON COLUMN experiment.digest IS 'SHA-256 of the sorted identities of its grid';

COMMENT ON COLUMN experiment.source IS 'the TOML text, with overrides named in comments behind it';

COMMENT ON COLUMN experiment.created_at IS 'seconds since 1970, UTC';

COMMENT ON COLUMN experiment.last_run_at IS 'seconds since 1970, UTC';

CREATE TABLE environment (
	id BIGINT NOT NULL,
	digest VARCHAR(64) NOT NULL,
	python TEXT NOT NULL,
	platform TEXT NOT NULL,
	cpu TEXT NOT NULL,
	packages TEXT NOT NULL,
	git_commit TEXT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (digest)
);

COMMENT ON COLUMN environment.packages IS 'JSON, versions by distribution';

CREATE TABLE setting (
	id BIGINT NOT NULL,
	digest VARCHAR(64) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	name TEXT NOT NULL,
	canonical TEXT NOT NULL,
	fingerprint VARCHAR(64) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (digest)
);

COMMENT ON COLUMN setting.digest IS 'SHA-256 of kind, canonical and fingerprint';

COMMENT ON COLUMN setting.kind IS 'objective, gradient, optimizer or rules';

COMMENT ON COLUMN setting.canonical IS 'JSON of name and parameters, floats in hexadecimal';

COMMENT ON COLUMN setting.fingerprint IS 'of the plugin''s code';

CREATE TABLE start (
	id BIGINT NOT NULL,
	digest VARCHAR(64) NOT NULL,
	dimension INTEGER NOT NULL,
	x BYTEA NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (digest)
);

COMMENT ON COLUMN start.x IS 'big-endian float64';

CREATE TABLE parameter (
	setting_id BIGINT NOT NULL,
	name VARCHAR(128) NOT NULL,
	number DOUBLE PRECISION,
	text TEXT,
	PRIMARY KEY (setting_id, name),
	FOREIGN KEY(setting_id) REFERENCES setting (id) ON DELETE CASCADE
);

CREATE INDEX parameter_by_number ON parameter (name, number);

CREATE INDEX parameter_by_text ON parameter (name, text);

COMMENT ON COLUMN parameter.number IS 'of a number';

COMMENT ON COLUMN parameter.text IS 'of anything else; true or false of a truth value';

CREATE TABLE landmark (
	setting_id BIGINT NOT NULL,
	minimum_value DOUBLE PRECISION NOT NULL,
	minimiser BYTEA NOT NULL,
	curvature_min DOUBLE PRECISION,
	curvature_max DOUBLE PRECISION,
	PRIMARY KEY (setting_id),
	FOREIGN KEY(setting_id) REFERENCES setting (id) ON DELETE CASCADE
);

COMMENT ON COLUMN landmark.minimiser IS 'big-endian float64';

COMMENT ON COLUMN landmark.curvature_min IS 'smallest eigenvalue of the Hessian at the minimiser';

COMMENT ON COLUMN landmark.curvature_max IS 'largest eigenvalue of the Hessian at the minimiser';

CREATE TABLE run (
	id BIGINT NOT NULL,
	identity VARCHAR(64) NOT NULL,
	objective_id BIGINT NOT NULL,
	gradient_id BIGINT NOT NULL,
	optimizer_id BIGINT NOT NULL,
	rules_id BIGINT NOT NULL,
	start_id BIGINT NOT NULL,
	environment_id BIGINT NOT NULL,
	dimension INTEGER NOT NULL,
	records_x BOOLEAN NOT NULL,
	outcome VARCHAR(16) NOT NULL,
	error TEXT NOT NULL,
	steps BIGINT NOT NULL,
	value_evaluations BIGINT NOT NULL,
	gradient_evaluations BIGINT NOT NULL,
	hessian_evaluations BIGINT NOT NULL,
	final_value DOUBLE PRECISION,
	final_value_class VARCHAR(8) NOT NULL,
	final_gradient_norm DOUBLE PRECISION,
	final_gradient_norm_class VARCHAR(8) NOT NULL,
	best_value DOUBLE PRECISION,
	best_value_class VARCHAR(8) NOT NULL,
	best_step BIGINT NOT NULL,
	seconds DOUBLE PRECISION NOT NULL,
	finished_at DOUBLE PRECISION NOT NULL,
	superseded_by BIGINT,
	PRIMARY KEY (id),
	CONSTRAINT run_supersedes_another CHECK (superseded_by IS NULL OR superseded_by <> id),
	FOREIGN KEY(objective_id) REFERENCES setting (id),
	FOREIGN KEY(gradient_id) REFERENCES setting (id),
	FOREIGN KEY(optimizer_id) REFERENCES setting (id),
	FOREIGN KEY(rules_id) REFERENCES setting (id),
	FOREIGN KEY(start_id) REFERENCES start (id),
	FOREIGN KEY(environment_id) REFERENCES environment (id),
	FOREIGN KEY(superseded_by) REFERENCES run (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
);

CREATE UNIQUE INDEX run_current ON run (identity) WHERE superseded_by IS NULL;

CREATE INDEX run_by_optimizer ON run (optimizer_id);

CREATE INDEX run_superseded ON run (superseded_by) WHERE superseded_by IS NOT NULL;

COMMENT ON COLUMN run.identity IS 'SHA-256 over everything that decides the run''s numbers';

COMMENT ON COLUMN run.seconds IS 'the run''s share of its batch''s time';

COMMENT ON COLUMN run.finished_at IS 'seconds since 1970, UTC';

CREATE TABLE experiment_run (
	experiment_id BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	position INTEGER NOT NULL,
	start_number INTEGER NOT NULL,
	PRIMARY KEY (experiment_id, run_id),
	FOREIGN KEY(experiment_id) REFERENCES experiment (id) ON DELETE CASCADE,
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX experiment_run_by_run ON experiment_run (run_id);

COMMENT ON COLUMN experiment_run.position IS 'place in the experiment''s grid, from 0';

COMMENT ON COLUMN experiment_run.start_number IS 'number of the start within the experiment, from 0';

CREATE TABLE chunk (
	run_id BIGINT NOT NULL,
	first_step BIGINT NOT NULL,
	count INTEGER NOT NULL,
	checksum BIGINT NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (run_id, first_step),
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);

COMMENT ON COLUMN chunk.count IS 'how many iterates';

COMMENT ON COLUMN chunk.checksum IS 'CRC-32 of identity, first_step, count and data';

COMMENT ON COLUMN chunk.data IS 'big-endian float64, series after series: f, gradient norm, each coordinate of x';

CREATE VIEW experiments AS SELECT e.id, e.name, e.description, e.created_at, e.last_run_at,
               (SELECT count(*) FROM experiment_run m WHERE m.experiment_id = e.id) AS runs
        FROM experiment e;

CREATE VIEW runs AS SELECT r.id, r.identity, o.name AS objective, g.name AS gradient, p.name AS optimizer, r.dimension, r.outcome, r.error,
               r.steps, r.value_evaluations, r.gradient_evaluations, r.hessian_evaluations,
               r.final_value, r.final_value_class, r.final_gradient_norm, r.final_gradient_norm_class,
               r.best_value, r.best_value_class, r.best_step, r.final_value - l.minimum_value AS final_gap,
               r.seconds, r.finished_at
        FROM run r
        JOIN setting o ON o.id = r.objective_id
        JOIN setting g ON g.id = r.gradient_id
        JOIN setting p ON p.id = r.optimizer_id
        LEFT JOIN landmark l ON l.setting_id = r.objective_id
        WHERE r.superseded_by IS NULL;

CREATE VIEW parameters AS SELECT r.id AS run_id, s.kind, q.name, q.number, q.text
        FROM run r
        JOIN setting s ON s.id IN (r.objective_id, r.gradient_id, r.optimizer_id, r.rules_id)
        JOIN parameter q ON q.setting_id = s.id
        WHERE r.superseded_by IS NULL;

INSERT INTO runner_schema VALUES ('0001');
