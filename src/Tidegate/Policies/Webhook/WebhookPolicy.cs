using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Webhook;

/// <summary>
/// Lets a webhook pass only when its provider has signed it, its time is right, and it has not come before. Then does what the configuration says (purges), and
/// passes it on as it came.
/// </summary>
/// <param name="settings">How it is signed.</param>
/// <param name="memory">What has come already.</param>
/// <param name="time">The clock.</param>
/// <param name="apply">Does what the content is for, and says how many purges that were.</param>
/// <param name="effect">The same in words.</param>
internal sealed class WebhookPolicy(WebhookSettings settings, WebhookMemory memory, TimeProvider time, Func<ReadOnlyMemory<byte>, int> apply, string effect) : IPolicy
{
    private static readonly Rejection Unsigned = new("webhook", "webhook_unsigned", 403, "A webhook is only taken with its provider's signature, and this request has none that can be read.");
    private static readonly Rejection Expired = new("webhook", "webhook_expired", 403, "The signed time of this webhook is too far from now. Check both clocks, or set tolerance.");
    private static readonly Rejection Forged = new("webhook", "webhook_signature_wrong", 403, "The signature of this webhook is not the provider's. Check that the secret is that of this very endpoint.");
    private static readonly Rejection Replayed = new("webhook", "webhook_replayed", 409, "This very webhook has come before and was delivered.");
    private static readonly Rejection TooLarge = new("webhook", "webhook_too_large", 413, "The content of this webhook is larger than max_content, and it must be whole before its signature says anything.");
    private static readonly Rejection Busy = new("webhook", "webhook_busy", 503, "Too many webhooks are on their way. Send it again.", TimeSpan.FromSeconds(5));
    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before its content had come.");

    public string Name => "webhook";

    public PolicyStage Stage => PolicyStage.Authorize;

    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        // :: Step 1: What needs no content.
        if (Claim(exchange, out var refused) is not { } claim)
        {
            exchange.Reject(refused!);
            return;
        }

        using var content = new WebhookContent(memory, exchange.ClientAddress, settings.MaxContentBytes);
        var remembered = default(UInt128?);
        try
        {
            // :: Step 2: The content, whole.
            var result = await content.ReadAsync(exchange.RequestBody, exchange.Aborted);
            if (result != WebhookContentResult.Whole)
            {
                exchange.Reject(result == WebhookContentResult.TooLarge ? TooLarge : Busy);
                return;
            }

            // :: Step 3: Whether the provider signed it, and only once.
            if (!IsSigned(claim, content.Memory.Span, out var signature))
            {
                exchange.Reject(Forged);
                return;
            }

            if (!settings.AllowsReplays)
            {
                var key = KeyOf(claim, signature);
                if (!memory.TryRemember(key, (claim.Signed ?? time.GetUtcNow()) + settings.Tolerance))
                {
                    // Without a signed time this may be another event that says the same: what is stored must not outlive it.
                    exchange.CachePurges = claim.Signed is null ? apply(content.Memory) : 0;
                    exchange.Reject(Replayed);
                    return;
                }

                remembered = key;
            }

            // :: Step 4: What it is for. Before the service hears of it, so that what the service asks for then is new.
            exchange.CachePurges = apply(content.Memory);
            exchange.RequestBody = new BegunBody(content.Memory, rest: null, isComplete: true);
            await next(exchange);
            if (exchange.Outcome == Outcome.Forwarded && exchange.ResponseStatus < 300)
            {
                remembered = null;
            }
        }
        catch (MessageBodyException broken)
        {
            exchange.Fail(broken.Failure);
        }
        catch (OperationCanceledException) when (exchange.Aborted.IsCancellationRequested)
        {
            exchange.Fail(ClientLeft);
        }
        finally
        {
            // It did not reach the service, for whatever reason, a fault of ours too: the provider sends it again.
            if (remembered is { } undelivered)
            {
                memory.Forget(undelivered);
            }
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => new($"must be signed ({settings.Header}); then {effect}", Claim(exchange, out var refused) is null ? refused : null);

    private WebhookClaim? Claim(Exchange exchange, out Rejection? refused)
    {
        var claim = WebhookClaim.Read(exchange.RequestHeaders, settings);
        refused = claim is null ? Unsigned : claim.Signed is { } signed && (time.GetUtcNow() - signed).Duration() > settings.Tolerance ? Expired : null;
        return refused is null ? claim : null;
    }

    /// <summary>Takes the same time whichever byte is wrong.</summary>
    private bool IsSigned(WebhookClaim claim, ReadOnlySpan<byte> content, out byte[] signature)
    {
        var right = new byte[HMACSHA256.HashSizeInBytes];
        foreach (var key in settings.Keys)
        {
            using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
            hash.AppendData(claim.SignedFirst);
            hash.AppendData(content);
            hash.GetHashAndReset(right);
            foreach (var given in claim.Signatures)
            {
                if (CryptographicOperations.FixedTimeEquals(given, right))
                {
                    signature = right;
                    return true;
                }
            }
        }

        signature = [];
        return false;
    }

    /// <summary>By what it is known again: here, this delivery, this content.</summary>
    private UInt128 KeyOf(WebhookClaim claim, byte[] signature)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{settings.Scope}\0{claim.Delivery}\0"));
        hash.AppendData(signature);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash.GetHashAndReset());
    }
}
