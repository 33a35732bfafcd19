namespace MlOps.Gateway.Rollouts;

/// <summary>Where a rollout stands, in Flagger's words.</summary>
internal static class RolloutPhase
{
    /// <summary>Declared; another rollout of the model is under way.</summary>
    public const string Initialized = "Initialized";

    /// <summary>Finds the version it would replace, and waits until every inference replica has the new one warm.</summary>
    public const string Initializing = "Initializing";

    /// <summary>Waits for the hooks confirm-rollout and pre-rollout.</summary>
    public const string Waiting = "Waiting";

    /// <summary>Goes through the steps.</summary>
    public const string Progressing = "Progressing";

    /// <summary>Waits for the hook confirm-promotion.</summary>
    public const string WaitingPromotion = "WaitingPromotion";

    /// <summary>All subjects are on the new version; the alias follows.</summary>
    public const string Promoting = "Promoting";

    /// <summary>The alias has moved; replicas follow it, then the policy goes.</summary>
    public const string Finalising = "Finalising";

    public const string Succeeded = "Succeeded";

    /// <summary>All subjects are back; alias and policy follow.</summary>
    public const string Terminating = "Terminating";

    /// <summary>Rolled back by itself.</summary>
    public const string Failed = "Failed";

    /// <summary>Ended by hand.</summary>
    public const string Terminated = "Terminated";

    public static bool IsOver(string phase) => phase is Succeeded or Failed or Terminated;

    /// <summary>The canary has, or may have, a share of the subjects and can be taken back by one change of the policy.</summary>
    public static bool IsLive(string phase) => phase is Initializing or Waiting or Progressing or WaitingPromotion or Promoting or Finalising;
}
