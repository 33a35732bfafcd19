namespace MlOps.Gateway.Access;

/// <summary>What a caller may do. Roles are made of rights; a route asks for one of those it names.</summary>
[Flags]
internal enum Right
{
    None = 0,

    /// <summary>Ask for predictions, and for what a client needs to ask: a model's inputs, outputs and readiness.</summary>
    Predict = 1,

    /// <summary>Look at definitions, runs, versions, traffic, drift and reports.</summary>
    Read = 2,

    /// <summary>Bring data and make models: ingest, train, log runs, register versions.</summary>
    Develop = 4,

    /// <summary>Decide which version stands for a model.</summary>
    Approve = 8,

    /// <summary>Steer live traffic and what is loaded.</summary>
    Operate = 16,

    /// <summary>Read and verify the audit.</summary>
    Audit = 32,

    /// <summary>Give and take access.</summary>
    Administer = 64,
}
