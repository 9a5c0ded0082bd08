using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Webhook;

/// <summary>What a request says of its signature, before its content is known.</summary>
internal sealed class WebhookClaim
{
    // Providers send one, and two while a key is changed.
    private const int MaxSignatures = 8;
    private const int HashBytes = 32;

    /// <summary>What is signed before the content: for example the time and a dot.</summary>
    public required byte[] SignedFirst { get; init; }

    /// <summary>When it was signed; null when the scheme does not say.</summary>
    public DateTimeOffset? Signed { get; init; }

    /// <summary>Which delivery this is, where the provider says so in a field that it does not sign; else empty.</summary>
    public string Delivery { get; init; } = "";

    /// <summary>Any one of them must be right.</summary>
    public required List<byte[]> Signatures { get; init; }

    /// <summary>Reads the fields; null when they are missing, doubled or malformed.</summary>
    public static WebhookClaim? Read(HeaderList fields, WebhookSettings settings) => settings.Signature switch
    {
        WebhookSignature.Stripe => ReadStripe(Single(fields, settings.Header)),
        WebhookSignature.Standard => ReadStandard(Single(fields, "webhook-id"), Single(fields, "webhook-timestamp"), Single(fields, settings.Header)),
        _ => ReadPlain(Single(fields, settings.Header), settings.DeliveryHeader is { } delivery ? Single(fields, delivery) : null, settings),
    };

    private static WebhookClaim? ReadStripe(string? value)
    {
        string? time = null;
        var signatures = new List<byte[]>();
        foreach (var part in (value ?? "").Split(','))
        {
            var item = part.Trim();
            if (item.StartsWith("t=", StringComparison.Ordinal))
            {
                if (time is not null)
                {
                    return null;
                }

                time = item[2..];
            }
            else if (item.StartsWith("v1=", StringComparison.Ordinal) && signatures.Count < MaxSignatures && Hex(item[3..]) is { } signature)
            {
                signatures.Add(signature);
            }
        }

        return Make(time, time + ".", signatures);
    }

    private static WebhookClaim? ReadStandard(string? id, string? time, string? value)
    {
        var signatures = new List<byte[]>();
        foreach (var part in (value ?? "").Split(' '))
        {
            if (part.StartsWith("v1,", StringComparison.Ordinal) && signatures.Count < MaxSignatures && FromBase64(part[3..]) is { } signature)
            {
                signatures.Add(signature);
            }
        }

        return id is null ? null : Make(time, id + "." + time + ".", signatures);
    }

    private static WebhookClaim? ReadPlain(string? value, string? delivery, WebhookSettings settings)
    {
        if (value?.StartsWith(settings.Prefix, StringComparison.Ordinal) != true)
        {
            return null;
        }

        var text = value[settings.Prefix.Length..];
        return (settings.Signature == WebhookSignature.HmacBase64 ? FromBase64(text) : Hex(text)) is { } signature ? new WebhookClaim { SignedFirst = [], Signatures = [signature], Delivery = delivery ?? "" } : null;
    }

    private static WebhookClaim? Make(string? time, string signedFirst, List<byte[]> signatures) =>
        signatures.Count > 0 && time is { Length: > 0 and <= 11 } && time.All(char.IsAsciiDigit)
            ? new WebhookClaim { SignedFirst = Encoding.Latin1.GetBytes(signedFirst), Signed = DateTimeOffset.FromUnixTimeSeconds(long.Parse(time, System.Globalization.CultureInfo.InvariantCulture)), Signatures = signatures }
            : null;

    /// <summary>The value of a field that stands there once.</summary>
    private static string? Single(HeaderList fields, string name)
    {
        string? found = null;
        var wanted = Encoding.ASCII.GetBytes(name);
        for (var i = 0; i < fields.Count; i++)
        {
            if (Ascii.EqualsIgnoreCase(fields[i].Name, wanted))
            {
                if (found is not null)
                {
                    return null;
                }

                found = Encoding.Latin1.GetString(fields[i].Value);
            }
        }

        return found;
    }

    private static byte[]? Hex(string text) => text.Length == HashBytes * 2 && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text) : null;

    private static byte[]? FromBase64(string text)
    {
        var bytes = new byte[HashBytes];
        return text.Length == 44 && Base64.IsValid(text) && Convert.TryFromBase64String(text, bytes, out var written) && written == HashBytes ? bytes : null;
    }
}
