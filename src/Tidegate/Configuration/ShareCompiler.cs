using System.Globalization;
using System.Text;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Configuration;

/// <summary>Compiles how classes share a limit.</summary>
internal sealed class ShareCompiler(ConfigPositions positions, List<ConfigProblem> problems)
{
    // Shares are binary fractions: ten of 10% may come out a hair above the whole.
    private const double Hair = 1e-9;

    /// <param name="limit">Whose.</param>
    /// <param name="config">What was written.</param>
    /// <param name="by">What tells the classes apart.</param>
    /// <param name="settings">The limit without shares.</param>
    public ShareSettings? Compile(LimitConfig limit, SharesConfig config, KeyPart by, LimitSettings settings)
    {
        var room = settings.Kind == LimitKind.TokenBucket ? settings.Burst : settings.Amount;
        var classes = new List<ShareTerms>();
        foreach (var share in config.Of)
        {
            var terms = new ShareTerms(share.Value, share.Guaranteed ?? 0, share.Max ?? 1);
            Check(share, terms, room, classes, settings);
            classes.Add(terms);
        }

        if (limit.Per.Contains(config.By))
        {
            Problem(config, "by", $"per gives each {config.By} a count of its own already; nobody is left to share it with");
        }

        if (classes.Sum(terms => terms.Guaranteed) > 1 + Hair)
        {
            Problem(config, "of", $"more than everything is guaranteed: {Percent(classes.Sum(terms => terms.Guaranteed))} together; lower some to 100% in all");
            return null;
        }

        // What is guaranteed of a quota is never lent: who is guaranteed nothing has what is left, and here nothing is.
        if (settings.Kind == LimitKind.Quota && classes.Sum(terms => ShareTerms.Of(terms.Guaranteed, room)) >= room)
        {
            foreach (var (share, _) in config.Of.Zip(classes).Where(pair => pair.Second.Guaranteed == 0))
            {
                Problem(share, "value", $"nothing would ever pass: all of the quota is guaranteed to others, and of a quota nothing that is guaranteed is lent. Guarantee '{share.Value}' a part");
            }
        }

        var others = classes.FindIndex(terms => terms.Value == ShareTerms.Others);
        var last = others < 0 ? new ShareTerms(ShareTerms.Others, 0, 1) : classes[others];
        if (others >= 0)
        {
            classes.RemoveAt(others);
        }

        if (classes.Count >= ShareSettings.MaxClasses)
        {
            Problem(config, "of", $"{classes.Count} classes share the limit; at most {ShareSettings.MaxClasses - 1} can, and everybody else as one more. Write per for a count of each");
        }

        return new ShareSettings(by, [.. classes, last]);
    }

    private void Check(ShareConfig share, ShareTerms terms, long room, List<ShareTerms> before, LimitSettings settings)
    {
        if (before.Any(other => other.Value == terms.Value))
        {
            Problem(share, "value", $"there are two shares of '{terms.Value}' here");
        }

        if (Encoding.UTF8.GetByteCount(terms.Value) > KeyPart.MaxBytes)
        {
            Problem(share, "value", $"a value has at most {KeyPart.MaxBytes} bytes");
        }

        if (terms.Max < terms.Guaranteed)
        {
            Problem(share, "max", $"max is below what is guaranteed; write at least {Percent(terms.Guaranteed)}");
        }

        // Of a bucket, the burst is what can be told apart.
        var whole = settings.Kind == LimitKind.TokenBucket ? $"a burst of {room}" : settings.Text;
        if (terms.Guaranteed > 0 && ShareTerms.Of(terms.Guaranteed, room) == 0)
        {
            Problem(share, "guaranteed", $"{Percent(terms.Guaranteed)} of {whole} is less than one");
        }
        else if (ShareTerms.Of(terms.Max, room) == 0)
        {
            Problem(share, "max", $"{Percent(terms.Max)} of {whole} is less than one, so nothing would ever pass");
        }
    }

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.###}%");

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
