using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Makes of an upstream's answer what is stored of it.</summary>
internal static class AnswerMaker
{
    /// <summary>The answer as it is stored; null when it is not to be.</summary>
    /// <param name="cache">Where it goes.</param>
    /// <param name="settings">Of the route.</param>
    /// <param name="key">Where it is kept.</param>
    /// <param name="credentials">Under which it can be purged beside its partition.</param>
    /// <param name="target">What it is the answer of.</param>
    /// <param name="status">Final.</param>
    /// <param name="fields">The answer's.</param>
    /// <param name="content">Filled, or about to be.</param>
    /// <param name="vary">By which request fields it was chosen.</param>
    /// <param name="terms">Read off its head.</param>
    /// <param name="epoch">In which it was asked for.</param>
    /// <param name="now">When it came.</param>
    /// <param name="whyNot">Empty, or why it is not stored.</param>
    public static StoredAnswer? TryMake(
        HttpCache cache,
        CacheSettings settings,
        in CacheKey key,
        ulong[] credentials,
        ExchangeTarget target,
        int status,
        HeaderList fields,
        StoredContent content,
        ReadOnlySpan<byte> vary,
        in AnswerTerms terms,
        long epoch,
        long now,
        out string whyNot)
    {
        whyNot = terms.WhyNot;
        if (!terms.IsStorable)
        {
            return null;
        }

        if (!AnswerTags.TryRead(fields, cache.Secret, settings.Api, target, credentials, out var tags))
        {
            whyNot = "too-many-tags";
            return null;
        }

        var packed = content.PackedBytes;
        if (StoredHead.Encode(fields, terms.UnstoredFields, settings.AllowanceFields, cache.Time.GetUtcNow(), tags, vary, packed) is not { } block)
        {
            whyNot = "head-too-large";
            return null;
        }

        return new StoredAnswer
        {
            Key = key.Value,
            Block = block,
            Status = status,
            Content = packed > 0 ? content.CopyTo(block.Bytes) : content,
            Terms = terms,
            HasOwnControl = fields.TryGet(TargetedControl.OwnName, out ReadOnlySpan<byte> _),
            Received = now,
            Epoch = epoch,
            CheckedEpoch = -1,
        };
    }
}
