namespace MlOps.Gateway.Access;

/// <summary>
/// Who may ask what: every route and call the gateway serves, with the right it needs. What is not listed is refused, and a
/// test fails for a route without a line here. A route with <c>{model}</c>, or a call with the field that names it, asks
/// for the right over that model; all others for the right over the whole platform, unless they say <see cref="Shared"/>.
/// </summary>
internal static class AccessTable
{
    /// <summary>What <c>/invocations</c> names its model by.</summary>
    public const string ModelHeader = "x-mlops-model";

    public static IReadOnlyList<AccessRule> Rules { get; } =
    [
        // Probes, and what says how the rest is asked.
        Public("GET /alive"),
        Public("GET /health"),
        Public("GET /v1/health"),
        Public("GET /healthz"),
        Public("GET /readyz"),
        Public("GET /openapi.json"),
        Public("GET /docs"),
        Public("GET /docs/docs.js"),
        Public("GET /docs/docs.css"),
        Public("/grpc.health.v1.Health/Check"),
        Public("/grpc.health.v1.Health/Watch"),
        Public("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        Public("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
        Reads("GET /metrics", Right.Read),

        // Open Inference Protocol, REST.
        Shared(Reads("GET /v2", Right.Predict)),
        Public("GET /v2/health/live"),
        Public("GET /v2/health/ready"),
        Reads("GET /v2/models", Right.Read),
        Reads("GET /v2/models/stats", Right.Read),
        Reads("GET /v2/models/{model}", Right.Predict),
        Reads("GET /v2/models/{model}/ready", Right.Predict),
        Reads("GET /v2/models/{model}/config", Right.Predict),
        Reads("GET /v2/models/{model}/stats", Right.Read),
        Reads("POST /v2/models/{model}/infer", Right.Predict),
        Reads("GET /v2/models/{model}/versions/{version}", Right.Predict),
        Reads("GET /v2/models/{model}/versions/{version}/ready", Right.Predict),
        Reads("GET /v2/models/{model}/versions/{version}/config", Right.Predict),
        Reads("GET /v2/models/{model}/versions/{version}/stats", Right.Read),
        Reads("POST /v2/models/{model}/versions/{version}/infer", Right.Predict),
        Reads("POST /v2/repository/index", Right.Read),
        Changes("POST /v2/repository/models/{model}/load", Right.Operate),
        Changes("POST /v2/repository/models/{model}/unload", Right.Operate),
        Changes("POST /v2/repository/models/{model}/versions/{version}/load", Right.Operate),
        Changes("POST /v2/repository/models/{model}/versions/{version}/unload", Right.Operate),

        // Open Inference Protocol, gRPC.
        Public("/inference.GRPCInferenceService/ServerLive"),
        Public("/inference.GRPCInferenceService/ServerReady"),
        Shared(Reads("/inference.GRPCInferenceService/ServerMetadata", Right.Predict)),
        Reads("/inference.GRPCInferenceService/ModelReady", Right.Predict, "name"),
        Reads("/inference.GRPCInferenceService/ModelMetadata", Right.Predict, "name"),
        Reads("/inference.GRPCInferenceService/ModelConfig", Right.Predict, "name"),
        Reads("/inference.GRPCInferenceService/ModelStatistics", Right.Read, "name"),
        Reads("/inference.GRPCInferenceService/ModelInfer", Right.Predict, "model_name"),
        Reads("/inference.GRPCInferenceService/ModelStreamInfer", Right.Predict, "model_name"),
        Reads("/inference.GRPCInferenceService/RepositoryIndex", Right.Read),
        Changes("/inference.GRPCInferenceService/RepositoryModelLoad", Right.Operate, "model_name"),
        Changes("/inference.GRPCInferenceService/RepositoryModelUnload", Right.Operate, "model_name"),

        // Version 1 of the protocol, predictions by entity, and MLflow's scoring, whose model is in a header.
        Reads("GET /v1/models/{model}", Right.Predict),
        Reads("POST /v1/models/{model}:predict", Right.Predict),
        Reads("POST /v1/models/{model}/versions/{version}:predict", Right.Predict),
        Reads("POST /v1/models/{model}:explain", Right.Predict),
        Reads("POST /v1/models/{model}/versions/{version}:explain", Right.Predict),
        Reads("POST /v1/models/{model}/predict", Right.Predict),
        Reads("POST /v1/models/{model}/versions/{version}/predict", Right.Predict),
        Reads("POST /v1/models/{model}/explain", Right.Predict),
        Reads("POST /v1/models/{model}/versions/{version}/explain", Right.Predict),
        Reads("POST /v1/models/{model}/replay", Right.Develop | Right.Operate),
        Reads("POST /v1/models/{model}/versions/{version}/replay", Right.Develop | Right.Operate),
        Public("GET /ping"),
        Reads("POST /invocations", Right.Predict) with { About = About.Model },
        Reads("/mlops.inference.v1.InferenceService/Predict", Right.Predict, "model"),
        Reads("/mlops.inference.v1.InferenceService/Explain", Right.Predict, "model"),
        // What a model said of callers' requests, but not the requests.
        Reads("/mlops.inference.v1.InferenceService/Replay", Right.Develop | Right.Operate, "model"),
        Reads("/mlops.inference.v1.InferenceService/ListModels", Right.Read),

        // Batch scoring. Over REST a job names its model in the body, so that the right must be granted for all of them.
        Shared(Changes("POST /v1/batch-inputs", Right.Develop | Right.Operate)),
        Changes("POST /v1/batch-jobs", Right.Develop | Right.Operate),
        Reads("GET /v1/batch-jobs", Right.Read),
        Reads("GET /v1/batch-jobs/{id}", Right.Read),
        Changes("POST /v1/batch-jobs/{id}/cancel", Right.Develop | Right.Operate),
        Reads("GET /v1/batch-jobs/{id}/watch", Right.Read),
        Reads("GET /v1/batch-jobs/{id}/result", Right.Read),
        Reads("GET /v1/batch-jobs/{id}/quarantine", Right.Read),
        Reads("GET /v1/batch-schedules", Right.Read),
        Reads("GET /v1/batch-schedules/{name}", Right.Read),
        Changes("PUT /v1/batch-schedules/{name}", Right.Develop | Right.Operate),
        Changes("DELETE /v1/batch-schedules/{name}", Right.Develop | Right.Operate),
        Shared(Changes("/mlops.inference.v1.BatchScoringService/UploadBatchInput", Right.Develop | Right.Operate)),
        Changes("/mlops.inference.v1.BatchScoringService/CreateBatchJob", Right.Develop | Right.Operate, "spec.model"),
        Reads("/mlops.inference.v1.BatchScoringService/GetBatchJob", Right.Read),
        Reads("/mlops.inference.v1.BatchScoringService/ListBatchJobs", Right.Read, "model"),
        Reads("/mlops.inference.v1.BatchScoringService/WatchBatchJob", Right.Read),
        Changes("/mlops.inference.v1.BatchScoringService/CancelBatchJob", Right.Develop | Right.Operate),
        Reads("/mlops.inference.v1.BatchScoringService/DownloadBatchResult", Right.Read),
        Reads("/mlops.inference.v1.BatchScoringService/ListQuarantinedRows", Right.Read),
        Changes("/mlops.inference.v1.BatchScoringService/PutBatchSchedule", Right.Develop | Right.Operate, "schedule.job.model"),
        Reads("/mlops.inference.v1.BatchScoringService/GetBatchSchedule", Right.Read),
        Reads("/mlops.inference.v1.BatchScoringService/ListBatchSchedules", Right.Read),
        Changes("/mlops.inference.v1.BatchScoringService/DeleteBatchSchedule", Right.Develop | Right.Operate),

        // Stream scoring.
        Reads("GET /v1/streams", Right.Read),
        Reads("GET /v1/streams/{model}", Right.Read),
        Changes("PUT /v1/streams/{model}", Right.Develop | Right.Operate),
        Changes("DELETE /v1/streams/{model}", Right.Develop | Right.Operate),
        Reads("/mlops.inference.v1.StreamScoringService/ListStreams", Right.Read),
        Reads("/mlops.inference.v1.StreamScoringService/GetStream", Right.Read, "model"),
        Changes("/mlops.inference.v1.StreamScoringService/PutStream", Right.Develop | Right.Operate, "stream.model"),
        Changes("/mlops.inference.v1.StreamScoringService/DeleteStream", Right.Develop | Right.Operate, "model"),

        // Features: they belong to no model, and what changes them concerns all.
        Changes("/mlops.features.v1.FeatureStoreService/Apply", Right.Develop),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/ListDefinitions", Right.Read)),
        Changes("/mlops.features.v1.FeatureStoreService/Ingest", Right.Develop),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/ListQuarantine", Right.Read)),
        Changes("/mlops.features.v1.FeatureStoreService/Materialize", Right.Develop | Right.Operate),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/GetOnlineFeatures", Right.Read)),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/GetHistoricalFeatures", Right.Read)),
        Shared(Changes("/mlops.features.v1.FeatureStoreService/CreateSnapshot", Right.Develop)),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/GetSnapshot", Right.Read)),
        Shared(Reads("/mlops.features.v1.FeatureStoreService/ReadSnapshot", Right.Read)),

        // Training.
        Changes("/mlops.training.v1.TrainingService/SubmitPipeline", Right.Develop, "pipeline.model"),
        Shared(Reads("/mlops.training.v1.TrainingService/GetTrainingRun", Right.Read)),
        Reads("/mlops.training.v1.TrainingService/ListTrainingRuns", Right.Read, "model"),
        Shared(Reads("/mlops.training.v1.TrainingService/WatchTrainingRun", Right.Read)),
        Changes("/mlops.training.v1.TrainingService/CancelTrainingRun", Right.Develop | Right.Operate),
        Shared(Reads("/mlops.training.v1.TrainingService/ListTrainers", Right.Read)),

        // Registry.
        Shared(Changes("/mlops.registry.v1.RegistryService/CreateRun", Right.Develop)),
        Shared(Changes("/mlops.registry.v1.RegistryService/LogBatch", Right.Develop)),
        Shared(Changes("/mlops.registry.v1.RegistryService/FinishRun", Right.Develop)),
        Shared(Reads("/mlops.registry.v1.RegistryService/GetRun", Right.Read)),
        Shared(Reads("/mlops.registry.v1.RegistryService/ListRuns", Right.Read)),
        Shared(Changes("/mlops.registry.v1.RegistryService/UploadArtifact", Right.Develop)),
        Shared(Reads("/mlops.registry.v1.RegistryService/DownloadArtifact", Right.Read)),
        Changes("/mlops.registry.v1.RegistryService/RegisterModelVersion", Right.Develop, "model"),
        Reads("/mlops.registry.v1.RegistryService/GetModelVersion", Right.Read, "model"),
        Reads("/mlops.registry.v1.RegistryService/ListModelVersions", Right.Read, "model"),
        Reads("/mlops.registry.v1.RegistryService/ListModels", Right.Read),
        Changes("/mlops.registry.v1.RegistryService/SetAlias", Right.Approve, "model"),
        Changes("/mlops.registry.v1.RegistryService/DeleteAlias", Right.Approve, "model"),

        // Monitoring: labels join predictions of any model.
        Changes("/mlops.monitoring.v1.MonitoringService/SubmitLabels", Right.Develop | Right.Operate),
        Reads("/mlops.monitoring.v1.MonitoringService/GetPredictionCounts", Right.Read, "model"),
        Reads("/mlops.monitoring.v1.MonitoringService/GetDrift", Right.Read, "model"),
        Reads("/mlops.monitoring.v1.MonitoringService/GetPerformance", Right.Read, "model"),
        Reads("/mlops.monitoring.v1.MonitoringService/GetArmStatistics", Right.Read, "model"),
        Reads("/mlops.monitoring.v1.MonitoringService/CompareShadow", Right.Read, "model"),
        // Outcomes belong to subjects, whichever models they meet.
        Changes("/mlops.monitoring.v1.MonitoringService/SubmitOutcomes", Right.Develop | Right.Operate),
        Reads("/mlops.monitoring.v1.MonitoringService/GetExperimentSums", Right.Read, "model"),
        Reads("/mlops.monitoring.v1.MonitoringService/ListExposures", Right.Read, "model"),
        // Whole inputs, and ids of any model: more than what a viewer of one model sees.
        Reads("/mlops.monitoring.v1.MonitoringService/GetPredictions", Right.Develop | Right.Operate),

        // Traffic policies.
        Reads("GET /v1/policy-file", Right.Read),
        Reads("GET /v1/traffic-policies", Right.Read),
        Reads("GET /v1/traffic-policies/{model}", Right.Read),
        Changes("PUT /v1/traffic-policies/{model}", Right.Operate),
        Changes("DELETE /v1/traffic-policies/{model}", Right.Operate),
        Reads("GET /v1/traffic-policies/{model}/assignments", Right.Read),
        Reads("GET /v1/traffic-policies/{model}/changes", Right.Read),
        Reads("/mlops.gateway.v1.GatewayService/ListTrafficPolicies", Right.Read),
        Reads("/mlops.gateway.v1.GatewayService/GetTrafficPolicy", Right.Read, "model"),
        Changes("/mlops.gateway.v1.GatewayService/PutTrafficPolicy", Right.Operate, "policy.model"),
        Changes("/mlops.gateway.v1.GatewayService/DeleteTrafficPolicy", Right.Operate, "model"),
        Reads("/mlops.gateway.v1.GatewayService/GetAssignments", Right.Read, "model"),
        Reads("/mlops.gateway.v1.GatewayService/ListTrafficPolicyChanges", Right.Read, "model"),

        // Rollouts: whoever starts or promotes one decides which version stands for the model; holding and taking back is steering.
        Reads("GET /v1/rollouts", Right.Read),
        Reads("GET /v1/rollouts/{model}", Right.Read),
        Reads("GET /v1/rollouts/{model}/all", Right.Read),
        Changes("POST /v1/rollouts/{model}", Right.Approve),
        Changes("POST /v1/rollouts/{model}/pause", Right.Operate | Right.Approve),
        Changes("POST /v1/rollouts/{model}/resume", Right.Operate | Right.Approve),
        Changes("POST /v1/rollouts/{model}/promote", Right.Approve),
        Changes("POST /v1/rollouts/{model}/abort", Right.Operate | Right.Approve),
        Changes("POST /v1/rollouts/{model}/rollback", Right.Operate | Right.Approve),
        Reads("/mlops.gateway.v1.RolloutService/ListRollouts", Right.Read),
        Reads("/mlops.gateway.v1.RolloutService/GetRollout", Right.Read, "model"),
        Changes("/mlops.gateway.v1.RolloutService/StartRollout", Right.Approve, "model"),
        Changes("/mlops.gateway.v1.RolloutService/PauseRollout", Right.Operate | Right.Approve, "model"),
        Changes("/mlops.gateway.v1.RolloutService/ResumeRollout", Right.Operate | Right.Approve, "model"),
        Changes("/mlops.gateway.v1.RolloutService/PromoteRollout", Right.Approve, "model"),
        Changes("/mlops.gateway.v1.RolloutService/AbortRollout", Right.Operate | Right.Approve, "model"),
        Changes("/mlops.gateway.v1.RolloutService/RollBack", Right.Operate | Right.Approve, "model"),

        // Shadows; which there are stands in the traffic policies.
        Reads("GET /v1/shadows/{model}/{version}", Right.Read),
        Reads("/mlops.gateway.v1.ShadowService/GetShadowReport", Right.Read, "model"),
        // Experiments are named, whatever their model: who declares one asks, who starts or ends one steers live traffic.
        Reads("GET /v1/experiments", Right.Read),
        Reads("GET /v1/experiments/{name}", Right.Read),
        Changes("PUT /v1/experiments/{name}", Right.Develop | Right.Operate),
        Changes("DELETE /v1/experiments/{name}", Right.Develop | Right.Operate),
        Changes("POST /v1/experiments/{name}/start", Right.Operate | Right.Approve),
        Changes("POST /v1/experiments/{name}/stop", Right.Operate | Right.Approve),
        Changes("POST /v1/experiments/{name}/decide", Right.Operate | Right.Approve),
        Reads("GET /v1/experiments/{name}/readout", Right.Read),
        Reads("GET /v1/experiments/{name}/report", Right.Read),
        Reads("GET /v1/experiments/{name}/exposures", Right.Read),
        Reads("/mlops.gateway.v1.ExperimentService/ListExperiments", Right.Read),
        Reads("/mlops.gateway.v1.ExperimentService/GetExperiment", Right.Read),
        Changes("/mlops.gateway.v1.ExperimentService/PutExperiment", Right.Develop | Right.Operate),
        Changes("/mlops.gateway.v1.ExperimentService/DeleteExperiment", Right.Develop | Right.Operate),
        Changes("/mlops.gateway.v1.ExperimentService/StartExperiment", Right.Operate | Right.Approve),
        Changes("/mlops.gateway.v1.ExperimentService/StopExperiment", Right.Operate | Right.Approve),
        Changes("/mlops.gateway.v1.ExperimentService/DecideExperiment", Right.Operate | Right.Approve),
        Reads("/mlops.gateway.v1.ExperimentService/GetExperimentReadout", Right.Read),
        Reads("/mlops.gateway.v1.ExperimentService/ListExperimentExposures", Right.Read),

        // Access itself.
        Anybody("GET /v1/access/me"),
        Reads("GET /v1/access/keys", Right.Administer),
        Changes("POST /v1/access/keys", Right.Administer),
        Changes("POST /v1/access/keys/{id}/rotate", Right.Administer),
        Changes("DELETE /v1/access/keys/{id}", Right.Administer),
        Reads("GET /v1/access/audit", Right.Audit),
        Reads("POST /v1/access/audit/verify", Right.Audit),
        Anybody("/mlops.gateway.v1.AccessService/WhoAmI"),
        Reads("/mlops.gateway.v1.AccessService/ListAuditEntries", Right.Audit),
        Reads("/mlops.gateway.v1.AccessService/VerifyAudit", Right.Audit),
        Reads("/mlops.gateway.v1.AccessService/ListApiKeys", Right.Administer),
        Changes("/mlops.gateway.v1.AccessService/CreateApiKey", Right.Administer),
        Changes("/mlops.gateway.v1.AccessService/RotateApiKey", Right.Administer),
        Changes("/mlops.gateway.v1.AccessService/RevokeApiKey", Right.Administer),
    ];

    private static AccessRule Public(string route) => Anybody(route) with { IsPublic = true };

    private static AccessRule Anybody(string route) => new(route, Right.None, About.Shared, Changes: false);

    private static AccessRule Reads(string route, Right needs, string model = "") => Rule(route, needs, model, changes: false);

    private static AccessRule Changes(string route, Right needs, string model = "") => Rule(route, needs, model, changes: true);

    private static AccessRule Shared(AccessRule rule) => rule with { About = About.Shared };

    private static AccessRule Rule(string route, Right needs, string model, bool changes)
    {
        var isNamed = model.Length > 0 || route.Contains("{model}", StringComparison.Ordinal);
        return new AccessRule(route, needs, isNamed ? About.Model : About.Platform, changes) { ModelField = model };
    }
}
