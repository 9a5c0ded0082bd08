namespace Tidegate.Configuration;

/// <summary>Finds what a misspelt word was probably meant to be.</summary>
internal static class Suggestion
{
    /// <summary>The nearest candidate within a third of the word's length in edits, or null.</summary>
    public static string? For(string word, IEnumerable<string> candidates)
    {
        // Any two letters are one edit from any other two: that is no hint.
        if (word.Length < 3)
        {
            return null;
        }

        string? best = null;
        var bestDistance = Math.Max(1, word.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            var distance = Distance(word.ToLowerInvariant().Replace('-', '_'), candidate);
            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return best;
    }

    /// <summary>Levenshtein's distance, where swapping two neighbours counts once.</summary>
    internal static int Distance(string from, string to)
    {
        var cost = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
        {
            for (var j = 0; j <= to.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                var replaced = cost[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, 1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[from.Length, to.Length];
    }
}
