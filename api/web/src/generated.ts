// Made by `make web` of hack/specification.py; edit the API.
// sha256 of the specification: 1d6a619aa02f7f99e2b9a6b5a331243fc29ead5b7bf0f9c5d13ee2add9345685

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The job that was accepted. */
        Accepted: {
            /**
             * Format: uuid
             * @description The job's UUID. UUIDs sort by when jobs were accepted.
             */
            uuid: string;
            /** @description What the client should know about the job. */
            warning?: string;
        };
        /** @description One run of a job by one worker. */
        Attempt: {
            /** @description Why it ended. */
            cause?: components["schemas"]["Cause"];
            /** @description The processor time it took. Missing: unknown. */
            cpuSeconds?: number;
            /** @description Who recorded its end, if its worker did not: a worker, or the operator. */
            endedBy?: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            endedTime?: string;
            /** @description Why it ended, in words. */
            message?: string;
            /** @description 1 for the first. */
            number: number;
            /** @description The most resident memory that one of its processes had. Missing: unknown. */
            peakBytes?: number;
            /** @description The queue it ran in, if the job has left that queue since. */
            queue?: string;
            /**
             * Format: date-time
             * @description When it began.
             */
            startedTime: string;
            /** @description How long the job had been due when the attempt began. */
            waitedSeconds?: number;
            /** @description Who ran it. */
            worker: components["schemas"]["WorkerIdentity"];
        };
        /** @description Several jobs: all of them are accepted, or none. */
        Batch: {
            /** @description The jobs. */
            jobs: components["schemas"]["BatchItem"][];
        };
        /** @description The jobs that were accepted. */
        BatchAccepted: {
            /** @description The jobs' UUIDs, in the order of the batch. */
            uuids: string[];
            /** @description What the client should know about the jobs. */
            warning?: string;
        };
        /** @description One job of a batch. */
        BatchItem: {
            /** @description Seconds until the job may start. Not together with `startAt`. */
            delay?: number | null;
            /**
             * Format: date-time
             * @description A job that has not started by then ends as expired: a time with a time zone, at most a year ahead.
             */
            expiresAt?: string | null;
            /** @description Short texts by which people find the job. */
            labels?: {
                [key: string]: string;
            };
            /** @description The job's parameters, as the job type's schema asks for them. */
            parameters?: {
                [key: string]: unknown;
            };
            /** @description 0 is first, 9 is last. Default: the job type's priority. */
            priority?: number | null;
            /**
             * Format: date-time
             * @description When the job may start: a time with a time zone, at most a year ahead.
             */
            startAt?: string | null;
            /** @description Seconds that an attempt may run. Default: the job type's timeout. */
            timeout?: number | null;
            /** @description The job type. */
            type: string;
        };
        /**
         * Cause
         * @description Why an attempt ended.
         * @enum {string}
         */
        Cause: "succeeded" | "continued" | "error" | "finished" | "invalid" | "timeout" | "crash" | "outOfMemory" | "interrupted" | "cancelled";
        /** @description What a change by filter did. */
        Changed: {
            /** @description How many jobs were changed. */
            changed: number;
            /** @description Whether more jobs match: repeat the call. */
            more: boolean;
        };
        /** @description The output data of a finished job. */
        Data: {
            /** @description What `run` returned. null: nothing. */
            data: unknown;
            /** @description The code it ended with. */
            resultCode: number;
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
        };
        /** @description One thing that is wrong with a request. */
        Fault: {
            /** @description What is wrong there. */
            message: string;
            /** @description Where: a JSON path such as `$.jobs[3].priority`, or `?` and the name of a query parameter, or the name of a header. */
            path: string;
        };
        /** @description Which jobs to change: those that match every field given. At least one is needed. */
        Filter: {
            /** @description Finished jobs whose last attempt ended by this cause, or by one of these. */
            cause?: components["schemas"]["Cause"] | components["schemas"]["Cause"][];
            /**
             * Format: date-time
             * @description Jobs that ended at this time or later.
             */
            endedAfter?: string | null;
            /**
             * Format: date-time
             * @description Jobs that ended before this time.
             */
            endedBefore?: string | null;
            /** @description Jobs with this label, `key=value`, or with all of these. */
            label?: string | string[];
            /** @description Jobs of this queue, or of one of these. */
            queue?: string | string[];
            /** @description Jobs in this state, or in one of these. */
            state?: components["schemas"]["State"] | components["schemas"]["State"][];
            /**
             * Format: date-time
             * @description Jobs that were submitted at this time or later.
             */
            submittedAfter?: string | null;
            /**
             * Format: date-time
             * @description Jobs that were submitted before this time.
             */
            submittedBefore?: string | null;
            /** @description Jobs of this type, or of one of these. */
            type?: string | string[];
            /** @description The job with this UUID, or with these. */
            uuids?: string | string[];
        };
        /** @description Who has paused a queue, or let a worker drain, when and why. */
        Held: {
            /** @description Who asked for it. null: callers are not known here. */
            by: string | null;
            /** @description Why. null: no reason was given. */
            reason: string | null;
            /**
             * Format: date-time
             * @description Since when. null: that cannot be read.
             */
            since: string | null;
        };
        /** @description Whether a queue is paused. */
        HeldQueue: {
            /** @description The queue. */
            name: string;
            /** @description null: it is not paused. */
            paused: components["schemas"]["Held"] | null;
        };
        /** @description Whether a worker was asked to drain. */
        HeldWorker: {
            /** @description null: it was not. */
            drain: components["schemas"]["Held"] | null;
            /** @description The worker. */
            name: string;
        };
        /** @description Why a queue is paused, or why a worker drains. */
        Hold: {
            /** @description Why, for people: one line. */
            reason?: string | null;
        };
        /** @description A job with a page of its log: consecutive lines, attempt by attempt, oldest first. */
        Info: {
            /** @description The number of the current or last attempt, 0 before the first. */
            attempt: number;
            /** @description The last 50 attempts, oldest first. */
            attempts: components["schemas"]["Attempt"][];
            /**
             * Format: date-time
             * @description When its cancellation was requested.
             */
            cancelRequestedTime?: string;
            /** @description Of a finished job: why its last attempt ended. */
            cause?: components["schemas"]["Cause"];
            /**
             * Format: date-time
             * @description When its record last changed.
             */
            changedTime: string;
            /** @description How much is done, from 0 to 1. */
            completeness: number;
            /** @description How often it asked to run again since then. */
            continuations?: number;
            /** @description Crashes since it was accepted or last replayed. */
            crashes?: number;
            /**
             * Format: date-time
             * @description When it was accepted.
             */
            createdTime: string;
            /** @description The page's lines of level error. */
            errors: components["schemas"]["Line"][];
            /** @description The page's lines of level info. */
            events: components["schemas"]["Line"][];
            /**
             * Format: date-time
             * @description It ends as expired if it has not started by then.
             */
            expiresTime?: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            finishedTime?: string;
            /** @description Its labels, with its type's. */
            labels?: {
                [key: string]: string;
            };
            /** @description Its budgets and times. */
            limits: components["schemas"]["Limits"];
            /** @description Why the job is in this state, in one line. */
            message?: string;
            /** @description The queue that it left, because it needed more memory. */
            movedFrom?: string;
            /** @description `cursor` of the next page, null on the last page. */
            next: string | null;
            /**
             * Format: date-time
             * @description It does not start before this time.
             */
            notBeforeTime?: string;
            /** @description Of a job that waits: who has paused its queue, when and why. */
            paused?: components["schemas"]["Held"];
            /** @description 0 is first, 9 is last. */
            priority: number;
            /** @description The queue it goes through. */
            queue: string;
            /** @description How often it was replayed. */
            replays?: number;
            /** @description The request that it came with. */
            requestId?: string;
            /** @description -1 until the job is finished. */
            resultCode: number;
            /** @description The version of the type that accepted it: the hash of the schema. */
            schemaHash: string;
            /**
             * Format: date-time
             * @description When its first attempt began.
             */
            startedTime?: string;
            /** @description Where the job is in its life. */
            state: components["schemas"]["State"];
            /** @description The span in which it was asked for, as a W3C `traceparent`. */
            traceParent?: string;
            /** @description The job type. */
            type: string;
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
            /** @description The page's lines of level warning. */
            warnings: components["schemas"]["Line"][];
        };
        /** @description A whole job, without its log. */
        Job: {
            /** @description The number of the current or last attempt, 0 before the first. */
            attempt: number;
            /** @description The last 50 attempts, oldest first. */
            attempts: components["schemas"]["Attempt"][];
            /**
             * Format: date-time
             * @description When its cancellation was requested.
             */
            cancelRequestedTime?: string;
            /** @description Of a finished job: why its last attempt ended. */
            cause?: components["schemas"]["Cause"];
            /**
             * Format: date-time
             * @description When its record last changed.
             */
            changedTime: string;
            /** @description How much is done, from 0 to 1. */
            completeness: number;
            /** @description How often it asked to run again since then. */
            continuations?: number;
            /** @description Crashes since it was accepted or last replayed. */
            crashes?: number;
            /**
             * Format: date-time
             * @description When it was accepted.
             */
            createdTime: string;
            /** @description What `run` returned. null: nothing, or it is not finished. */
            data: unknown;
            /** @description Its entry in beanstalkd, where known. */
            entryId?: number;
            /** @description Errors since it was accepted or last replayed. */
            errors?: number;
            /**
             * Format: date-time
             * @description It ends as expired if it has not started by then.
             */
            expiresTime?: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            finishedTime?: string;
            /** @description What it keeps between attempts (`ctx.state`). */
            jobState?: {
                [key: string]: unknown;
            };
            /** @description Its labels, with its type's. */
            labels?: {
                [key: string]: string;
            };
            /** @description Its budgets and times. */
            limits: components["schemas"]["Limits"];
            /** @description Why the job is in this state, in one line. */
            message?: string;
            /** @description The queue that it left, because it needed more memory. */
            movedFrom?: string;
            /**
             * Format: date-time
             * @description It does not start before this time.
             */
            notBeforeTime?: string;
            /** @description What it was submitted with. */
            parameters: unknown;
            /** @description 0 is first, 9 is last. */
            priority: number;
            /** @description The queue it goes through. */
            queue: string;
            /** @description How often it was replayed. */
            replays?: number;
            /** @description The request that it came with. */
            requestId?: string;
            /** @description -1 until the job is finished. */
            resultCode: number;
            /** @description The version of the type that accepted it: the hash of the schema. */
            schemaHash: string;
            /**
             * Format: date-time
             * @description When its first attempt began.
             */
            startedTime?: string;
            /** @description Where the job is in its life. */
            state: components["schemas"]["State"];
            /** @description The span in which it was asked for, as a W3C `traceparent`. */
            traceParent?: string;
            /** @description The job type. */
            type: string;
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
        };
        /** @description A job's budgets and times, copied from its type when it was accepted. */
        Limits: {
            /** @description The longest such delay. */
            backoffMaxSeconds: number;
            /** @description The delay before the first retry. It doubles with each further error. */
            backoffSeconds: number;
            /** @description The crash with this number is final. */
            maxCrashes: number;
            /** @description The error with this number is final. */
            maxErrors: number;
            /** @description How long it is kept after it has failed or was cancelled. */
            retainFailedSeconds: number;
            /** @description How long it is kept after it has succeeded. */
            retainOkSeconds: number;
            /** @description How long an attempt may run. Without it there is no limit. */
            timeoutSeconds?: number;
        };
        /** @description A line of a job's log. */
        Line: {
            /** @description The attempt that wrote it. */
            attempt: number;
            /** @description JSON values that were logged with it. */
            data?: {
                [key: string]: unknown;
            };
            /**
             * @description How serious it is.
             * @enum {string}
             */
            level: "info" | "warning" | "error";
            /** @description What wrote it: a logger's name, `stdout`, `stderr`, or `output` for programs and whatever else writes past Python. Absent for `ctx.info` and the like. */
            logger?: string;
            /** @description The text. */
            message: string;
            /** @description Its number in that attempt, from 0. */
            seq: number;
            /**
             * Format: date-time
             * @description When it was written.
             */
            time: string;
        };
        /** @description Another version of a job type. */
        OtherVersion: {
            /**
             * Format: date-time
             * @description When it became the newest version.
             */
            introducedTime: string | null;
            /** @description The queue its jobs go through. */
            queue: string;
            /** @description The hash of its schema; its jobs carry it. */
            schemaHash: string;
            /**
             * Format: date-time
             * @description When it was registered last, or seen at a worker.
             */
            seenTime: string | null;
            /** @description Whether a living worker takes its jobs. null: that is not known. */
            served: boolean | null;
        };
        /** @description One page of a list. */
        Page: {
            /** @description The jobs, newest first. */
            jobs: components["schemas"]["Summary"][];
            /** @description `cursor` of the next page, null on the last page. */
            next: string | null;
        };
        /** @description A pool of workers on Kubernetes. */
        Pool: {
            /** @description Workers that run a job. */
            busy?: number;
            /** @description Why it has this number of workers. */
            decision: string;
            /** @description Workers it should have. */
            desiredReplicas?: number;
            /** @description The most workers it may have. */
            maxReplicas: number;
            /** @description The message of that condition. */
            message: string;
            /** @description The fewest workers it may have. */
            minReplicas: number;
            /** @description Its name. */
            name: string;
            /** @description Its namespace. */
            namespace: string;
            /** @description The queue it serves. */
            queue: string;
            /**
             * @description Its condition Ready.
             * @enum {string}
             */
            ready: "True" | "False" | "Unknown";
            /** @description Workers that are ready. */
            readyReplicas?: number;
            /** @description Workers it has. */
            replicas?: number;
            /** @description Workers that are being removed. */
            retiring?: number;
            /** @description Workers that are starting. */
            starting?: number;
            /** @description Job types with unfinished jobs that no worker of the queue knows, and versions of types, as `media.convert@3fa9c1`, whose jobs none of them runs. null: no worker was seen yet. */
            unservedTypes: string[] | null;
        };
        /** @description The pools of workers that the operator manages. */
        Pools: {
            /** @description The pools. */
            pools: components["schemas"]["Pool"][];
        };
        /** @description An answer that is an error (RFC 9457). */
        Problem: {
            /** @description A stable word for programs, e.g. `unknown-type`. */
            code: string;
            /** @description What happened and what to do. */
            detail: string;
            /** @description What is wrong with the request, one entry per error. */
            errors?: components["schemas"]["Fault"][];
            /** @description The status. */
            status: number;
            /** @description The status in words. */
            title: string;
            /** @description `urn:zerog:problem:` and the code. */
            type: string;
        };
        /** @description How far a job is. */
        Progress: {
            /** @description The number of the current or last attempt, 0 before the first. */
            attempt: number;
            /** @description How much is done, from 0 to 1. */
            completeness: number;
            /** @description Why the job is in this state, in one line. */
            message?: string;
            /** @description -1 until the job is finished. Then 200 to 399: success, 408: timeout, 410: cancelled, 500: too many errors or crashes, 504: not started in time, or a code that the job chose. */
            resultCode: number;
            /** @description Where the job is in its life. */
            state: components["schemas"]["State"];
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
        };
        /** @description How long a queue is and how fast it moves. */
        Queue: {
            /** @description Jobs that arrived in the last minute. null while unknown. */
            arrivalPerMinute: number | null;
            /** @description Entries set aside because they name no job. */
            buried: number;
            /** @description Jobs that are not due yet. */
            delayed: number;
            /** @description Jobs that left in the last minute. null while unknown. */
            departurePerMinute: number | null;
            /** @description Its name. */
            name: string;
            /** @description null: it is not paused. */
            paused: components["schemas"]["Held"] | null;
            /** @description Jobs that could start now. */
            ready: number;
            /** @description Jobs that workers hold. */
            reserved: number;
            /** @description Job types with unfinished jobs that no worker of the queue knows, and versions of types, as `media.convert@3fa9c1`, whose jobs none of them runs. null: no worker was seen yet. */
            unservedTypes: string[] | null;
            /** @description How long a job that arrives now would wait. null while unknown, and while the queue is paused. */
            waitingSeconds: number | null;
        };
        /** @description What happened in a queue. Every list has one number per minute, oldest first. */
        QueueHistory: {
            /** @description Jobs that were accepted or replayed. */
            accepted: number[];
            /** @description Attempts that ended and left their job unfinished. */
            again: number[];
            /** @description Jobs that were cancelled. */
            cancelled: number[];
            /** @description Jobs that did not start in time. */
            expired: number[];
            /** @description Jobs that failed. */
            failed: number[];
            /** @description The queue. */
            name: string;
            /** @description How long attempts ran on average. null: no attempt ended. */
            runMeanSeconds: (number | null)[];
            /** @description Attempts that began. */
            started: number[];
            /** @description Jobs that succeeded. */
            succeeded: number[];
            /** @description 95 % of the jobs waited no longer. null: no job started. */
            wait95Seconds: (number | null)[];
            /** @description How long jobs waited on average. null: no job started. */
            waitMeanSeconds: (number | null)[];
        };
        /** @description The queues. */
        Queues: {
            /** @description The queues, by name. */
            queues: components["schemas"]["Queue"][];
            /** @description How many queues are not listed, because there are too many tubes. */
            queuesLeftOut?: number;
        };
        /** @description A job that a worker runs. */
        Running: {
            /** @description The number of the attempt. */
            attempt: number;
            /** @description The slot it runs in. */
            slot: number;
            /**
             * Format: date-time
             * @description When the attempt began.
             */
            startedTime: string;
            /** @description The job type. */
            type: string;
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
        };
        /** @description Which jobs to change, and how many of them at most. */
        Selection: {
            /** @description Which jobs. */
            filter: components["schemas"]["Filter"];
            /**
             * @description How many jobs are changed at most.
             * @default 1000
             */
            limit: number;
        };
        /**
         * State
         * @description Where a job stands.
         * @enum {string}
         */
        State: "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "expired";
        /** @description What happened in the queues, minute by minute. */
        Stats: {
            /** @description Seconds that each number stands for: 60. */
            bucketSeconds: number;
            /** @description The queues, by name. */
            queues: components["schemas"]["QueueHistory"][];
            /** @description When each minute begins. */
            times: string[];
            /** @description What their job types took in all these minutes, the busiest first; at most 100. */
            types: components["schemas"]["TypeUsage"][];
        };
        /** @description That everything is fine. Otherwise the answer is a problem. */
        Status: {
            /**
             * @description Of `/readyz`: the datastore.
             * @constant
             */
            datastore?: "ok";
            /**
             * @description Of `/readyz`: beanstalkd.
             * @constant
             */
            queue?: "ok";
            /**
             * @description ok
             * @constant
             */
            status: "ok";
        };
        /** @description A job in a list. */
        Summary: {
            /** @description The number of the current or last attempt, 0 before the first. */
            attempt: number;
            /**
             * Format: date-time
             * @description When its cancellation was requested.
             */
            cancelRequestedTime?: string;
            /** @description Of a finished job: why its last attempt ended. */
            cause?: components["schemas"]["Cause"];
            /**
             * Format: date-time
             * @description When its record last changed.
             */
            changedTime: string;
            /** @description How often it asked to run again since then. */
            continuations?: number;
            /** @description Crashes since it was accepted or last replayed. */
            crashes?: number;
            /**
             * Format: date-time
             * @description When it was accepted.
             */
            createdTime: string;
            /**
             * Format: date-time
             * @description It ends as expired if it has not started by then.
             */
            expiresTime?: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            finishedTime?: string;
            /** @description Its labels, with its type's. */
            labels?: {
                [key: string]: string;
            };
            /** @description Why the job is in this state, in one line. */
            message?: string;
            /** @description The queue that it left, because it needed more memory. */
            movedFrom?: string;
            /**
             * Format: date-time
             * @description It does not start before this time.
             */
            notBeforeTime?: string;
            /** @description 0 is first, 9 is last. */
            priority: number;
            /** @description The queue it goes through. */
            queue: string;
            /** @description How often it was replayed. */
            replays?: number;
            /** @description -1 until the job is finished. */
            resultCode: number;
            /** @description The version of the type that accepted it: the hash of the schema. */
            schemaHash: string;
            /**
             * Format: date-time
             * @description When its first attempt began.
             */
            startedTime?: string;
            /** @description Where the job is in its life. */
            state: components["schemas"]["State"];
            /** @description The job type. */
            type: string;
            /**
             * Format: uuid
             * @description The job's UUID.
             */
            uuid: string;
        };
        /** @description A registered job type, by its current version. */
        Type: {
            /** @description The longest such delay. */
            backoffMaxSeconds: number;
            /** @description The delay before the first retry. It doubles with each further error. */
            backoffSeconds: number;
            /** @description The description of its class. */
            description: string;
            /**
             * Format: date-time
             * @description When it became the newest version.
             */
            introducedTime: string | null;
            /** @description What its jobs are labelled with. */
            labels: {
                [key: string]: string;
            };
            /** @description Whether what its jobs print goes into their logs. */
            logOutput: boolean;
            /** @description The crash with this number is final. */
            maxCrashes: number;
            /** @description The error with this number is final. */
            maxErrors: number;
            /** @description Its name. */
            name: string;
            /** @description The type's other versions. Jobs that wait may carry their hashes. */
            otherVersions: components["schemas"]["OtherVersion"][];
            /** @description The JSON Schema of its output, where its class says what that is. */
            outputSchema?: {
                [key: string]: unknown;
            };
            /** @description The priority of jobs that are submitted without one. */
            priority: number;
            /** @description The queue its jobs go through. */
            queue: string;
            /** @description How long a job is kept after it has failed or was cancelled. */
            retainFailedSeconds: number;
            /** @description How long a job is kept after it has succeeded. */
            retainOkSeconds: number;
            /** @description The JSON Schema of its parameters. */
            schema: {
                [key: string]: unknown;
            };
            /** @description Changes when the schema does. Jobs carry it. */
            schemaHash: string;
            /**
             * Format: date-time
             * @description When it was registered last, or seen at a worker.
             */
            seenTime: string | null;
            /** @description Whether a living worker runs its jobs. null: that is not known. */
            served: boolean | null;
            /** @description Changes when its code or image does. */
            templateHash?: string;
            /** @description How long an attempt may run. null: there is no limit. */
            timeoutSeconds: number | null;
        };
        /** @description What the attempts of a queue's job type took that ended in these minutes. */
        TypeUsage: {
            /** @description The sum of the time that attempts ran. */
            busySeconds: number;
            /** @description Jobs that were cancelled. */
            cancelled: number;
            /** @description 50 % of them took no more processor time. null: unknown. */
            cpu50Seconds: number | null;
            /** @description 95 % of them took no more processor time. null: unknown. */
            cpu95Seconds: number | null;
            /** @description The sum of their processor time, as far as known. */
            cpuSeconds: number;
            /** @description Attempts that ended. */
            ended: number;
            /** @description Jobs that failed. */
            failed: number;
            /** @description The job type. */
            name: string;
            /** @description In 50 % of them no process had more resident memory. null: unknown. */
            peak50Bytes: number | null;
            /** @description In 95 % of them no process had more resident memory. null: unknown. */
            peak95Bytes: number | null;
            /** @description In 99 % of them no process had more resident memory. null: unknown. */
            peak99Bytes: number | null;
            /** @description The queue. */
            queue: string;
            /** @description 50 % of them ran no longer. null: none. */
            run50Seconds: number | null;
            /** @description 95 % of them ran no longer. null: none. */
            run95Seconds: number | null;
            /** @description Jobs that succeeded. */
            succeeded: number;
        };
        /** @description The registered job types. */
        Types: {
            /** @description The job types, by name. */
            types: components["schemas"]["Type"][];
        };
        /** @description A worker that is alive. */
        Worker: {
            /** @description Rises while the worker is alive. */
            beat: number;
            /** @description Who has let it drain. null: nobody, and if it drains it is about to stop. */
            drain: components["schemas"]["Held"] | null;
            /** @description Its host. */
            host: string;
            /** @description On Kubernetes: its image. */
            image: string | null;
            /** @description Its name. */
            name: string;
            /** @description On Kubernetes: its node. */
            node: string | null;
            /** @description Its process. */
            pid: number;
            /** @description On Kubernetes: its pod. */
            pod: string | null;
            /** @description The queues it serves. */
            queues: string[];
            /** @description The jobs it runs, up to 5 s ago. A job's own record is exact. */
            running: components["schemas"]["Running"][];
            /** @description How many jobs it runs at the same time. */
            slots: number;
            /**
             * Format: date-time
             * @description When it started.
             */
            startedTime: string;
            /**
             * @description draining: it finishes its jobs and starts no others.
             * @enum {string}
             */
            state: "running" | "draining";
            /** @description Which version of each type it takes jobs of now, by the hash of its schema. */
            takes: {
                [key: string]: string;
            };
            /** @description The job types it runs. */
            types: string[];
            /**
             * Format: date-time
             * @description When it last reported: every 5 s.
             */
            updatedTime: string;
        };
        /** @description Who ran an attempt. */
        WorkerIdentity: {
            /** @description On Kubernetes: the worker's image. */
            image?: string;
            /** @description The worker. */
            name: string;
            /** @description On Kubernetes: the pod's node. */
            node?: string;
            /** @description On Kubernetes: its pod. */
            pod?: string;
        };
        /** @description The workers that are alive. */
        Workers: {
            /** @description The workers, by name. */
            workers: components["schemas"]["Worker"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
