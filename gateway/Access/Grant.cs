namespace MlOps.Gateway.Access;

/// <summary>
/// A role over the models whose names match a pattern, in which <c>*</c> stands for any characters or none. The pattern
/// <c>*</c> alone covers the whole platform, what belongs to no model included.
/// </summary>
internal sealed record Grant(Role Role, string Models)
{
    public const string Everything = "*";

    public bool Covers(ReadOnlySpan<char> model) => Matches(Models, model);

    /// <summary>Allocates nothing; takes time proportional to pattern × name at worst, both of which are short.</summary>
    internal static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        int p = 0, n = 0, star = -1, starred = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                starred = n;
            }
            else if (p < pattern.Length && pattern[p] == name[n])
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                // The last star takes one more character.
                p = star + 1;
                n = ++starred;
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].IndexOfAnyExcept('*') < 0;
    }
}
