using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Writes <c>Cache-Status</c> (RFC 9211): what this cache did, behind what caches before it say.</summary>
internal static class CacheStatusField
{
    private const int MaxBytes = 160;

    /// <summary>A stored answer was used.</summary>
    /// <param name="fields">The answer's.</param>
    /// <param name="freshFor">How long it is fresh yet; negative when it is stale.</param>
    /// <param name="detail">Why it is used though it is not fresh, and who says how long it is.</param>
    private static void AddHit(HeaderList fields, TimeSpan freshFor, CacheStatusDetail detail)
    {
        Span<byte> value = stackalloc byte[MaxBytes];
        var writer = new Writer(value);
        writer.Add("tidegate; hit; ttl="u8);
        writer.Add((long)Math.Floor(freshFor.TotalSeconds));
        writer.AddDetail(detail);
        fields.Add("Cache-Status"u8, writer.Written);
    }

    /// <summary>An answer of the store was used, however it came there.</summary>
    /// <param name="fields">The answer's.</param>
    /// <param name="result">How it came to this exchange.</param>
    /// <param name="miss">Why it was not there before.</param>
    /// <param name="status">The answer's.</param>
    /// <param name="freshFor">How long it is fresh yet; negative when it is stale.</param>
    /// <param name="detail">More on it.</param>
    public static void AddServed(HeaderList fields, CacheResult result, CacheResult miss, int status, TimeSpan freshFor, CacheStatusDetail detail)
    {
        switch (result)
        {
            case CacheResult.HitValidated:
                AddForward(fields, result, 304, isStored: true, isCollapsed: false, detail);
                break;
            case CacheResult.Collapsed:
                AddForward(fields, miss == CacheResult.Collapsed ? CacheResult.Miss : miss, 0, isStored: false, isCollapsed: true, detail);
                break;
            case CacheResult.Hit or CacheResult.HitStale:
                AddHit(fields, freshFor, detail);
                break;
            default:
                AddForward(fields, result, status, isStored: true, isCollapsed: false, detail);
                break;
        }
    }

    /// <summary>The request went on.</summary>
    /// <param name="fields">The answer's.</param>
    /// <param name="result">Why.</param>
    /// <param name="status">What the upstream answered; 0 when nothing.</param>
    /// <param name="isStored">Its answer is kept.</param>
    /// <param name="isCollapsed">It went with another exchange's.</param>
    /// <param name="detail">More on it.</param>
    public static void AddForward(HeaderList fields, CacheResult result, int status, bool isStored, bool isCollapsed, CacheStatusDetail detail)
    {
        Span<byte> value = stackalloc byte[MaxBytes];
        var writer = new Writer(value);
        writer.Add("tidegate; fwd="u8);
        writer.Add(result.ForwardWord());
        if (status > 0)
        {
            writer.Add("; fwd-status="u8);
            writer.Add(status);
        }

        writer.Add(isStored ? "; stored"u8 : default);
        writer.Add(isCollapsed ? "; collapsed"u8 : default);
        writer.AddDetail(detail);
        fields.Add("Cache-Status"u8, writer.Written);
    }

    private ref struct Writer(Span<byte> bytes)
    {
        private readonly Span<byte> _bytes = bytes;
        private int _length;

        public readonly ReadOnlySpan<byte> Written => _bytes[.._length];

        public void Add(ReadOnlySpan<byte> text)
        {
            text.CopyTo(_bytes[_length..]);
            _length += text.Length;
        }

        public void Add(string text) => _length += Encoding.ASCII.GetBytes(text, _bytes[_length..]);

        public void Add(long number)
        {
            System.Buffers.Text.Utf8Formatter.TryFormat(number, _bytes[_length..], out var digits);
            _length += digits;
        }

        public void AddDetail(CacheStatusDetail detail)
        {
            if (detail.Word.IsEmpty && !detail.IsOverridden)
            {
                return;
            }

            // One token (RFC 9651 3.3.4), whose parts a slash separates.
            Add("; detail="u8);
            Add(detail.Word);
            Add(detail.IsOverridden && !detail.Word.IsEmpty ? "/"u8 : default);
            Add(detail.IsOverridden ? "ttl-override"u8 : default);
        }
    }
}

/// <summary>What <c>Cache-Status</c> says beside the registered parameters.</summary>
/// <param name="word">Empty when there is nothing to say.</param>
/// <param name="isOverridden">The configuration says how long the answer is fresh, against what it says itself.</param>
internal readonly ref struct CacheStatusDetail(ReadOnlySpan<byte> word, bool isOverridden)
{
    public ReadOnlySpan<byte> Word { get; } = word;

    public bool IsOverridden { get; } = isOverridden;
}
