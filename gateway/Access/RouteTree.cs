using System.Diagnostics.CodeAnalysis;

namespace MlOps.Gateway.Access;

/// <summary>
/// Finds the line of the table for a path, as the services' own routing would: letters' case and one slash at the end do not
/// count, a literal segment goes before one with a suffix (<c>{model}:predict</c>), and that before any
/// (<c>{model}</c>). Allocates nothing.
/// </summary>
internal sealed class RouteTree
{
    private const string ModelParameter = "{model}";
    private readonly Node _root = new();

    public RouteTree(IEnumerable<AccessRule> rules)
    {
        foreach (var rule in rules.Where(r => !r.IsGrpc))
        {
            var node = _root;
            foreach (var segment in rule.Pattern.Split('/', StringSplitOptions.RemoveEmptyEntries)) node = node.Child(segment);
            node.Rules.Add(rule.Method, rule);
        }
    }

    /// <param name="method">GET, POST …</param>
    /// <param name="path">Decoded, as the server has it.</param>
    /// <param name="rule">The line of the table.</param>
    /// <param name="model">The part of the path that stands for <c>{model}</c>; empty where the route has none.</param>
    public bool TryFind(string method, ReadOnlySpan<char> path, [NotNullWhen(true)] out AccessRule? rule, out Range model)
    {
        model = default;
        if (path.Length > 1 && path[^1] == '/') path = path[..^1];
        rule = Find(_root, method, path, 1, ref model);
        return rule is not null;
    }

    // At is where the next segment begins; past the end there is none.
    private static AccessRule? Find(Node node, string method, ReadOnlySpan<char> path, int at, ref Range model)
    {
        if (at >= path.Length) return at == path.Length && at > 1 ? null : node.Rules.GetValueOrDefault(method);

        var slash = path[at..].IndexOf('/');
        var end = slash < 0 ? path.Length : at + slash;
        var segment = path[at..end];
        if (segment.IsEmpty) return null;

        if (node.Literals.TryGetValue(segment, out var literal) && Find(literal, method, path, end + 1, ref model) is { } exact)
            return exact;
        foreach (var (suffix, child) in node.Suffixed)
        {
            if (segment.Length > suffix.Length && segment.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
                && Find(child, method, path, end + 1, ref model) is { } found)
            {
                if (child.IsModel) model = at..(end - suffix.Length);
                return found;
            }
        }

        if (node.Any is not { } any || Find(any, method, path, end + 1, ref model) is not { } matched) return null;
        if (any.IsModel) model = at..end;
        return matched;
    }

    private sealed class Node
    {
        private readonly Dictionary<string, Node> _literals = new(StringComparer.OrdinalIgnoreCase);

        public Node() => Literals = _literals.GetAlternateLookup<ReadOnlySpan<char>>();

        public Dictionary<string, Node>.AlternateLookup<ReadOnlySpan<char>> Literals { get; }

        public List<(string Suffix, Node Child)> Suffixed { get; } = [];

        public Node? Any { get; private set; }

        public bool IsModel { get; private init; }

        public Dictionary<string, AccessRule> Rules { get; } = new(StringComparer.OrdinalIgnoreCase);

        public Node Child(string segment)
        {
            if (segment[0] != '{')
            {
                if (!_literals.TryGetValue(segment, out var literal)) _literals.Add(segment, literal = new Node());
                return literal;
            }

            var end = segment.IndexOf('}', StringComparison.Ordinal);
            var (parameter, suffix) = (segment[..(end + 1)], segment[(end + 1)..]);
            if (suffix.Length == 0) return Any ??= new Node { IsModel = parameter == ModelParameter };
            if (Suffixed.Find(s => s.Suffix == suffix) is { Child: { } known }) return known;
            var made = new Node { IsModel = parameter == ModelParameter };
            Suffixed.Add((suffix, made));
            return made;
        }
    }
}
