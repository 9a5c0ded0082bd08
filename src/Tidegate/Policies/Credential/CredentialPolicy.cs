using System.Runtime.CompilerServices;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Credential;

/// <summary>Puts the API's own credential onto the request, so that callers never hold it. Inside every retry: each attempt carries it.</summary>
/// <param name="header">The field, for example <c>Authorization</c>; whatever the client sent in it is replaced.</param>
/// <param name="value">The whole value, a secret.</param>
/// <param name="requiresTls">See <see cref="CredentialField"/>.</param>
/// <param name="health">Where it is noted how the provider takes it; null: nowhere.</param>
internal sealed class CredentialPolicy(string header, string value, bool requiresTls = false, KeyHealth? health = null) : IPolicy
{
    private readonly CredentialField _field = new(header, requiresTls);
    private readonly byte[] _value = Encoding.Latin1.GetBytes(value);

    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    /// <summary>The field that carries it.</summary>
    public string Header => header;

    /// <summary>How the provider takes it; null: nobody notes it.</summary>
    public KeyHealth? Health => health;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        // Into a tunnel nothing can be put.
        if (exchange.IsTunnel)
        {
            return next(exchange);
        }

        if (_field.Refuses(exchange))
        {
            return default;
        }

        _field.Set(exchange.RequestHeaders, _value);
        return health is null ? next(exchange) : SendAsync(exchange, next);
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask SendAsync(Exchange exchange, ExchangeHandler next)
    {
        await next(exchange);
        if (exchange.Outcome != Outcome.Forwarded)
        {
            return;
        }

        // Whether a 403 or a 429 is about the key nobody knows here; whoever looks sees the status.
        switch (exchange.ResponseStatus)
        {
            case 401:
                health!.NoteRefusal("401");
                break;
            case 402:
                health!.NoteRefusal("402");
                break;
            case 403:
                health!.NoteRefusal("403");
                break;
            case 429:
                health!.NoteRefusal("429");
                break;
            default:
                health!.Answered();
                break;
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => _field.ExplainAbsence(exchange) ?? new PolicyExplanation($"sets {header} (value hidden)");
}
