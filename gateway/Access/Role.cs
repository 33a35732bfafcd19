namespace MlOps.Gateway.Access;

/// <summary>A named set of rights, as keys and tokens carry it.</summary>
internal sealed record Role(string Name, Right Rights)
{
    private const Right Look = Right.Predict | Right.Read;

    public static Role Admin { get; } = new(
        "admin", Look | Right.Develop | Right.Approve | Right.Operate | Right.Audit | Right.Administer);

    /// <summary>Every role there is. Each may predict; <c>predict</c> may nothing else.</summary>
    public static IReadOnlyList<Role> All { get; } =
    [
        new("predict", Right.Predict),
        new("viewer", Look),
        new("data-scientist", Look | Right.Develop),
        new("approver", Look | Right.Approve),
        new("operator", Look | Right.Operate),
        new("auditor", Look | Right.Audit),
        Admin,
    ];

    public static Role? Find(string name) => All.FirstOrDefault(r => r.Name == name);
}
