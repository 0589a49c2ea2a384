package app;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.http.MediaType;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jwt.JwtEncoder;
import org.springframework.security.oauth2.jwt.NimbusJwtEncoder;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.LoginUrlAuthenticationEntryPoint;
import org.springframework.security.web.util.matcher.MediaTypeRequestMatcher;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Authorization Server as its guide has it, with a client, a user, and two switches for tests. */
@SpringBootApplication
@RestController
public class Provider {
	// Newest first; the public halves of all of them are published.
	private final List<JWK> keys = new CopyOnWriteArrayList<>();
	private final InMemoryUserDetailsManager users = new InMemoryUserDetailsManager(user(false));

	public static void main(String[] args) {
		SpringApplication.run(Provider.class, args);
	}

	private static org.springframework.security.core.userdetails.UserDetails user(boolean disabled) {
		return User.withUsername("alice").password("{noop}pw").roles("USER").disabled(disabled).build();
	}

	@PostMapping("/control/rotate")
	void rotate() throws JOSEException {
		keys.add(0, new RSAKeyGenerator(2048).keyID(UUID.randomUUID().toString()).generate());
	}

	@PostMapping("/control/disable")
	void disable() {
		users.updateUser(user(true));
	}

	@Bean
	InMemoryUserDetailsManager users() {
		return users;
	}

	@Bean
	JWKSource<SecurityContext> keys() throws JOSEException {
		rotate();
		return (selector, context) -> selector.select(new JWKSet(keys));
	}

	@Bean
	JwtEncoder encoder(JWKSource<SecurityContext> source) {
		NimbusJwtEncoder encoder = new NimbusJwtEncoder(source);
		encoder.setJwkSelector(candidates -> candidates.get(0));
		return encoder;
	}

	@Bean
	RegisteredClientRepository clients(@Value("${app}") String app) {
		return new InMemoryRegisteredClientRepository(RegisteredClient.withId("1").clientId("app").clientSecret("{noop}a secret")
			.clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
			.authorizationGrantType(AuthorizationGrantType.AUTHORIZATION_CODE)
			.authorizationGrantType(AuthorizationGrantType.REFRESH_TOKEN)
			.redirectUri(app + "/auth/callback").postLogoutRedirectUri(app + "/auth/signed-out")
			.scope("openid").scope("profile").scope("email")
			.clientSettings(ClientSettings.builder().requireProofKey(true).build())
			.tokenSettings(TokenSettings.builder().reuseRefreshTokens(false).accessTokenTimeToLive(Duration.ofMinutes(5)).build())
			.build());
	}

	@Bean
	AuthorizationServerSettings settings(@Value("${issuer}") String issuer) {
		return AuthorizationServerSettings.builder().issuer(issuer).build();
	}

	@Bean
	@Order(1)
	SecurityFilterChain protocol(HttpSecurity http) throws Exception {
		return http
			.oauth2AuthorizationServer(server -> {
				http.securityMatcher(server.getEndpointsMatcher());
				server.oidc(Customizer.withDefaults());
			})
			.authorizeHttpRequests(a -> a.anyRequest().authenticated())
			.exceptionHandling(e -> e.defaultAuthenticationEntryPointFor(
				new LoginUrlAuthenticationEntryPoint("/login"), new MediaTypeRequestMatcher(MediaType.TEXT_HTML)))
			.build();
	}

	@Bean
	@Order(2)
	SecurityFilterChain pages(HttpSecurity http) throws Exception {
		return http.authorizeHttpRequests(a -> a.requestMatchers("/control/*").permitAll().anyRequest().authenticated())
			.csrf(c -> c.ignoringRequestMatchers("/control/*"))
			.formLogin(Customizer.withDefaults()).build();
	}
}
