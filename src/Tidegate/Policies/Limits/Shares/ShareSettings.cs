namespace Tidegate.Policies.Limits.Shares;

/// <summary>How classes of callers share one count.</summary>
/// <param name="By">What tells the classes apart.</param>
/// <param name="Classes">At most <see cref="MaxClasses"/>; the last is everybody who is in none of the others.</param>
internal sealed record ShareSettings(KeyPart By, IReadOnlyList<ShareTerms> Classes)
{
    /// <summary>Environments, plans, teams: whoever needs more wants a limit for each, with <c>per</c>.</summary>
    public const int MaxClasses = 16;
}

/// <summary>What a class has of the amount.</summary>
/// <param name="Value">Of what tells the classes apart; <c>*</c> is every other.</param>
/// <param name="Guaranteed">0 to 1: nobody else has this while the class wants it.</param>
/// <param name="Max">0 to 1: the most that it has, lent or not.</param>
internal sealed record ShareTerms(string Value, double Guaranteed, double Max)
{
    /// <summary>The value that stands for every other.</summary>
    public const string Others = "*";

    /// <summary>A share of an amount, down to whole units. A hair is forgiven: 29% of 100 is 29, whatever a binary fraction makes of it.</summary>
    public static long Of(double share, long amount) => (long)Math.Floor((share * amount) + 1e-6);
}
